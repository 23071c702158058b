//! Intake at half of what saturates it: how long answers take.

use super::intake::{group_size, rounded};
use super::kartra::Webhooks;
use super::report::{Table, Target};
use super::server::Server;
use super::yardsticks::Inserter;
use super::{Arguments, load};

/// How many times what saturates is found anew: on a machine that has slowed down since, the half of long ago is the
/// whole.
const SLICES: u32 = 8;
/// What part of what saturates the bare inserts is made beside the load: enough to meet the pauses of the machine and
/// its disk from near their beginning, as those do who send webhooks, and little enough to leave it most of both.
const PART_OF_BARE: u32 = 4;

/// Latencies at half of what saturates it, beside those of bare inserts in the same seconds: whatever the disk or the
/// machine is at meets both. The inserts are of as many rows as the server commits at a time then.
pub fn measure(
    arguments: &Arguments,
    server: &Server,
    webhooks: &Webhooks,
    bare: &Inserter,
    table: &mut Table,
) -> anyhow::Result<()> {
    let slice = 2.0 * arguments.seconds / f64::from(SLICES);
    let request = || server.webhook(webhooks.next());
    let (mut latencies, mut of_bare) = (load::histogram(), load::histogram());
    let mut group = 1;
    for _ in 0..SLICES {
        let look = load::closed(&server.address, arguments.connections, slice / 4.0, request)?;
        let rate = look.rate() / 2.0;
        let probe = bare.every(PART_OF_BARE * bare.takes(group, slice / 4.0)?, group, slice);
        let before = server.metrics()?;
        let (open, probed) = std::thread::scope(|scope| {
            let probed = scope.spawn(|| probe.run());
            let open = load::open(&server.address, arguments.connections, slice, rate, request);
            (open, probed.join())
        });
        group = rounded(group_size(&before, &server.metrics()?));
        latencies.add(&open?.latencies)?;
        of_bare.add(&probed.expect("bare inserts panic nowhere")?)?;
    }
    table.note(
        "at half of saturation: webhooks of a commit",
        load::count(u64::try_from(group)?),
        "",
    );
    table.latencies("at half of saturation", &latencies);
    table.latencies("(b) meanwhile", &of_bare);
    let open = load::Loaded { seconds: arguments.seconds, latencies };
    let bare = load::Loaded { seconds: arguments.seconds, latencies: of_bare };
    let to_bare = |quantile: f64| open.millis(quantile) / bare.millis(quantile);
    let most = Target::AtMost(3.0);
    table.ratio("at half of saturation: p99 to the p99 of (b)", to_bare(0.99), most);
    let most = Target::AtMost(2.0);
    table.ratio("at half of saturation: longest to the longest of (b)", to_bare(1.0), most);
    Ok(())
}
