//! Answers a question for a name: with addresses where the list has the name, else that there is no such name.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{DNSClass, RData, Record, RecordType};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::judge::Judge;
use super::ledger::Ledger;

/// A resolver's client gives up after five seconds by default (`resolv.conf(5)`).
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);
/// Short, so that a long-lived component asks again and we learn new addresses of a name.
const SECONDS_TO_LIVE: u32 = 10;

/// The answer to a message; `None` for what is no question.
pub(super) async fn answer(question: &[u8], judge: &Judge, ledger: &Ledger) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    if question.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.recursion_desired = question.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    answer.metadata.response_code = match question.queries.as_slice() {
        [query] if question.metadata.op_code == OpCode::Query && query.query_class() == DNSClass::IN => {
            answer.add_query(query.clone());
            let name = query.name().to_ascii();
            match look_up(name.trim_end_matches('.'), query.query_type(), judge, ledger).await {
                Ok(addresses) => {
                    let record = |address| {
                        Record::from_rdata(query.name().clone(), SECONDS_TO_LIVE, RData::A(A(address)))
                    };
                    answer.add_answers(addresses.into_iter().map(record));
                    ResponseCode::NoError
                }
                Err(code) => code,
            }
        }
        _ => ResponseCode::NotImp,
    };
    answer.to_vec().ok()
}

/// The addresses of a listed name. There are none of the sixth version, and no records of other kinds: they could carry
/// an address that we never judged.
async fn look_up(
    name: &str,
    kind: RecordType,
    judge: &Judge,
    ledger: &Ledger,
) -> Result<Vec<Ipv4Addr>, ResponseCode> {
    // What no host name may hold is not handed to the host's resolver.
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !is_plain || !judge.knows(name) {
        ledger.refuse(name, None);
        return Err(ResponseCode::NXDomain);
    }
    if kind != RecordType::A {
        return Ok(Vec::new());
    }
    if let Some(address) = judge.fixed(name) {
        return Ok(judge.tell(name, vec![address]));
    }
    let asked = timeout(LOOKUP_LIMIT, ask_host(name, Arc::clone(&judge.lookups))).await;
    let Ok(Ok(found)) = asked else {
        return Err(ResponseCode::ServFail);
    };
    let mut addresses: Vec<Ipv4Addr> = found
        .into_iter()
        .filter_map(|address| match address.ip() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
        .collect();
    addresses.sort();
    addresses.dedup();
    let count = addresses.len();
    let allowed = judge.tell(name, addresses);
    if count > 0 && allowed.is_empty() {
        // It leads to where no list leads.
        ledger.refuse(name, None);
        return Err(ResponseCode::NXDomain);
    }
    Ok(allowed)
}

/// What the host's own resolver knows of a name. Whoever gives up leaves the lookup under way, which goes on holding its
/// place: a component that asks for names without end must not take every thread.
async fn ask_host(name: &str, lookups: Arc<Semaphore>) -> io::Result<Vec<SocketAddr>> {
    let place = lookups.acquire_owned().await.map_err(io::Error::other)?;
    let name = name.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let found = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect);
        drop(place);
        found
    });
    asked.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::Query;
    use hickory_proto::rr::Name;
    use tokio::sync::mpsc;

    use super::*;

    /// What a question comes to: code and addresses, and how often it was refused.
    async fn ask(name: &str, kind: RecordType) -> (ResponseCode, Vec<Ipv4Addr>, u64) {
        let (told, _heard) = mpsc::channel(1);
        let ledger = Arc::new(Ledger::new(told));
        let list = ["db.example.com:5432", "loop.example.com:1"].map(|text| text.parse().unwrap());
        let hosts = vec![
            ("db.example.com".to_owned(), Ipv4Addr::new(10, 1, 2, 3)),
            ("loop.example.com".to_owned(), Ipv4Addr::LOCALHOST),
        ];
        let judge = Judge::new(Ipv4Addr::new(198, 18, 0, 1), list.into(), hosts);
        let mut question = Message::query();
        question.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        let answer = answer(&question.to_vec().unwrap(), &judge, &ledger).await.unwrap();
        let answer = Message::from_vec(&answer).unwrap();
        assert_eq!(answer.metadata.id, question.metadata.id);
        let addresses = answer.answers.iter().filter_map(|record| record.data.ip_addr()).map(|address| {
            let IpAddr::V4(address) = address else { panic!("{address} is none that was asked for") };
            address
        });
        let refused = ledger.contacts().refused.iter().map(|refusal| refusal.attempts).sum();
        (answer.metadata.response_code, addresses.collect(), refused)
    }

    #[tokio::test]
    async fn a_listed_name_has_its_address_and_nothing_else() {
        let address = Ipv4Addr::new(10, 1, 2, 3);
        assert_eq!(ask("DB.example.com.", RecordType::A).await, (ResponseCode::NoError, vec![address], 0));
        assert_eq!(ask("db.example.com.", RecordType::AAAA).await, (ResponseCode::NoError, vec![], 0));
        assert_eq!(ask("db.example.com.", RecordType::TXT).await, (ResponseCode::NoError, vec![], 0));
    }

    #[tokio::test]
    async fn another_name_does_not_exist_and_is_counted() {
        for kind in [RecordType::A, RecordType::AAAA, RecordType::TXT] {
            assert_eq!(ask("secret.evil.example.", kind).await, (ResponseCode::NXDomain, vec![], 1));
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_the_loopback_has_no_address() {
        assert_eq!(ask("loop.example.com.", RecordType::A).await, (ResponseCode::NoError, vec![], 0));
    }
}
