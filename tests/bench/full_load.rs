//! Full load on a grown site: webhooks come as fast as they are answered, are applied meanwhile, and the door is
//! asked about members.

use super::Arguments;
use super::grown::Grown;
use super::load;
use super::reads::Asker;
use super::report::{Table, Target};

/// For so many connections that send webhooks, another one asks at the door.
const SENDERS_OF_AN_ASKER: usize = 4;

/// Measures what is answered and applied, and the memory of the server meanwhile.
pub fn measure(arguments: &Arguments, grown: &Grown<'_>, table: &mut Table) -> anyhow::Result<()> {
    let (server, connections) = (&grown.server, arguments.connections);
    server.process().forget_peak()?;
    let before = grown.applied()?;
    let request = || server.webhook(grown.webhooks.next());
    let (came, asked) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let asker = Asker::of(arguments.members);
            let askers = (connections / SENDERS_OF_AN_ASKER).max(1);
            load::closed(&server.address, askers, arguments.seconds, || asker.question(""))
        });
        let came = load::closed(&server.address, connections, arguments.seconds, request);
        (came, asked.join())
    });
    let (came, asked) = (came?, asked.expect("whoever asks panics nowhere")?);
    let applied = (grown.applied()? - before) / came.seconds;
    table.note("under full load: webhooks answered a second", came.rate(), "/s");
    table.note("… and applied a second meanwhile", applied, "/s");
    table.note("… and access answered a second meanwhile", asked.rate(), "/s");
    let peak = server.process().peak_mb()?;
    table.bounded(
        "memory of the server at most, under full load",
        peak,
        "MB",
        Target::AtMost(150.0),
    );
    grown.drained()
}
