//! On the real broker that `scripts/rabbitmq.sh start` starts.

mod bench;
mod broker;
mod consuming;
mod dead_letters;
mod other_language;
mod outages;
mod publishing;
mod tls;
mod topology;
