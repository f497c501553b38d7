# Longshore itself, as a worker or for its command line. Build it in the project's folder: docker build -t longshore .
#
# A worker needs the Docker socket (see deploy/compose.yaml). Whoever holds that socket is root on the host, whatever user
# runs in here: give it to this container only, and give this container to nobody. It runs as root because then it may
# remove what components wrote as users of their own, read the engine's logs and measure control groups; as another user
# with the socket's group it works too, slower and without those.
#
# Where nothing can be pulled, name images of your own: --build-arg BUILDER=… --build-arg BASE=…
ARG BUILDER=rust:1.90-bookworm
ARG BASE=debian:bookworm-slim

FROM ${BUILDER} AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin longshore

FROM ${BASE}
# Certificate authorities for stores, brokers and databases that speak TLS; nft for the rules around components, which a
# worker can set with the host's network (--network host) and --cap-add NET_ADMIN.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates nftables \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=build /src/target/release/longshore /usr/local/bin/longshore
COPY component-specs /etc/longshore/component-specs
WORKDIR /etc/longshore
# The first signal drains: running jobs may take their time. A second one ends them politely.
STOPSIGNAL SIGTERM
ENTRYPOINT ["longshore"]
CMD ["worker"]
