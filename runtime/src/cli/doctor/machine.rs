//! What the system gives a server: an address, and files.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use http::Method;
use rustix::process::{Resource, getrlimit};

use super::Finding;
use crate::cli::client::{Client, Request};
use crate::config;

/// Fewer are used up by the files of a few apps and a browser.
const FILES_MIN: u64 = 512;
/// Each connection takes one, of which a server serves 4096, and each file of an app.
const FILES_ENOUGH: u64 = 8192;

/// Whether a server could listen, or one does.
pub(super) fn port(listen: SocketAddr) -> Finding {
    let Err(refused) = TcpListener::bind(listen) else {
        return Finding::fine("port", format!("{listen} is free"));
    };
    if refused.kind() == ErrorKind::AddrInUse && is_chancery(listen) {
        return Finding::fine("port", format!("a Chancery server answers on {listen}"));
    }
    let says = match refused.kind() {
        ErrorKind::AddrInUse => format!("{listen} is used by another program"),
        _ => format!("{listen} cannot be listened on: {refused}"),
    };
    // The system knows one that is free.
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr());
    let free = free.map_or(0, |address| address.port());
    Finding::wrong("port", says, format!("chancery serve --listen 127.0.0.1:{free}"))
}

fn is_chancery(listen: SocketAddr) -> bool {
    let url = config::Text::parse(&format!("http://{listen}"));
    let (Ok(server), Ok(app)) = (url, "main".parse()) else { return false };
    let client = Client::new(config::Client { server, app });
    let answer = client.read::<serde_json::Value>(Request::new(Method::GET, &["healthz"]));
    answer.is_ok_and(|(health, _)| health.get("status").is_some())
}

/// How many files a server may have open.
pub(super) fn open_files() -> Finding {
    let limits = getrlimit(Resource::Nofile);
    judged(limits.current, limits.maximum)
}

/// None stands for no limit.
fn judged(current: Option<u64>, maximum: Option<u64>) -> Finding {
    let Some(current) = current else {
        return Finding::fine("files", "any number may be open at one time");
    };
    if current >= FILES_ENOUGH {
        return Finding::fine("files", format!("{current} may be open at one time"));
    }
    let most = maximum.map_or(FILES_ENOUGH, |maximum| maximum.min(FILES_ENOUGH));
    let says = format!(
        "{current} may be open at one time; a server that is busy needs one for each connection"
    );
    let mend = match most > current {
        true => format!("ulimit -n {most}"),
        false => format!("sudo prlimit --nofile={FILES_ENOUGH} --pid $$"),
    };
    match current < FILES_MIN {
        true => Finding::wrong("files", says, mend),
        false => Finding::noted("files", says, mend),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::State;

    #[test]
    fn few_files_are_noted_and_too_few_are_wrong() {
        let told = |current, maximum| {
            let finding = judged(current, maximum);
            (finding.state, finding.mend.unwrap_or_default())
        };
        assert_eq!(told(None, None), (State::Fine, String::new()));
        assert_eq!(told(Some(65_536), Some(65_536)), (State::Fine, String::new()));
        assert_eq!(told(Some(1024), None), (State::Noted, "ulimit -n 8192".to_owned()));
        assert_eq!(told(Some(256), Some(4096)), (State::Wrong, "ulimit -n 4096".to_owned()));
        let mend = "sudo prlimit --nofile=8192 --pid $$".to_owned();
        assert_eq!(told(Some(256), Some(256)), (State::Wrong, mend));
    }

    #[test]
    fn a_port_of_another_program_is_wrong_and_comes_with_a_free_one() {
        let other = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = other.local_addr().expect("an address");
        // It accepts and says nothing that could be understood.
        std::thread::spawn(move || other.incoming().flatten().for_each(drop));
        let finding = port(address);
        assert_eq!(finding.state, State::Wrong, "{}", finding.says);
        let mend = finding.mend.expect("a command");
        let free = mend.strip_prefix("chancery serve --listen ").expect("it serves elsewhere");
        assert_ne!(free, address.to_string());
        assert_eq!(port(free.parse().expect("an address")).state, State::Fine);
    }
}
