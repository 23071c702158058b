//! Intake at half of what saturates it: how long answers take.

use super::kartra::Webhooks;
use super::report::{Table, Target};
use super::server::Server;
use super::yardsticks::Inserter;
use super::{Arguments, load};

/// How many times what saturates is found anew.
const SLICES: u32 = 8;

/// Latencies at half of what saturates it, beside those of the bare inserts at half of what saturates them: both
/// at once, so that whatever the disk or the machine is at meets both. What saturates each is found anew in each
/// turn: on a machine that has slowed down since, the half of long ago is the whole.
pub fn measure(
    arguments: &Arguments,
    server: &Server,
    webhooks: &Webhooks,
    group: usize,
    bare: &Inserter,
    table: &mut Table,
) -> anyhow::Result<()> {
    let slice = 2.0 * arguments.seconds / f64::from(SLICES);
    let request = || server.webhook(webhooks.next());
    let (mut latencies, mut of_bare) = (load::histogram(), load::histogram());
    for _ in 0..SLICES {
        let look = load::closed(&server.address, arguments.connections, slice / 4.0, request)?;
        let rate = look.rate() / 2.0;
        let bare = bare.half(group, slice / 4.0, slice)?;
        let (open, bare) = std::thread::scope(|scope| {
            let bare = scope.spawn(|| bare.run());
            let open = load::open(&server.address, arguments.connections, slice, rate, request);
            (open, bare.join())
        });
        latencies.add(&open?.latencies)?;
        of_bare.add(&bare.expect("bare inserts panic nowhere")?)?;
    }
    table.latencies("at half of saturation", &latencies);
    table.latencies("(b) at half of its saturation", &of_bare);
    let open = load::Loaded { seconds: arguments.seconds, latencies };
    let bare = load::Loaded { seconds: arguments.seconds, latencies: of_bare };
    let to_bare = |quantile: f64| open.millis(quantile) / bare.millis(quantile);
    let most = Target::AtMost(3.0);
    table.ratio("at half of saturation: p99 to the p99 of (b)", to_bare(0.99), most);
    let most = Target::AtMost(2.0);
    table.ratio("at half of saturation: longest to the longest of (b)", to_bare(1.0), most);
    Ok(())
}
