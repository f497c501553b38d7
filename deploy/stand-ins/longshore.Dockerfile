# The last stage of the project's Dockerfile around a binary that was built on this machine: for trying the compose file
# where no image with a Rust compiler can be pulled. The context holds `longshore` and `component-specs/`.
FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates nftables \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY longshore /usr/local/bin/longshore
COPY component-specs /etc/longshore/component-specs
WORKDIR /etc/longshore
STOPSIGNAL SIGTERM
ENTRYPOINT ["longshore"]
CMD ["worker"]
