//! One destination that hangs keeps nothing from the others.

use super::{all_pushes, buys, on_both, tells, worker};
use crate::alarms::receiver::{Answer, Receiver};
use std::time::{Duration, Instant};
use tokio::sync::watch;

const MEMBERS: u32 = 30;

#[test]
fn while_one_of_ten_hangs_the_other_nine_are_told_of_everybody() {
    on_both(|app| {
        let hanging = Receiver::start();
        let hang = std::iter::repeat_with(std::sync::mpsc::channel).take(100);
        let (goes, gones): (Vec<_>, Vec<_>) = hang.unzip();
        hanging.answers(gones.into_iter().map(Answer::When));
        let stuck = tells(app, &hanging.url("/access"));
        let others: Vec<Receiver> = (0..9).map(|_| Receiver::start()).collect();
        for other in &others {
            tells(app, &other.url("/access"));
        }
        for number in 1..=MEMBERS {
            buys(app, number, &format!("buyer-{number}@example.com"));
        }
        app.drain();
        let (stop, stopped) = watch::channel(false);
        std::thread::scope(|scope| {
            scope.spawn(|| worker(app).run(stopped));
            hanging.waits_for_one();
            for other in &others {
                (0..=MEMBERS).for_each(|_| other.waits_for_one());
            }
            let open = |of_stuck: bool| {
                let all = all_pushes(app);
                let open = all.iter().filter(|push| {
                    (push.destination_id == stuck) == of_stuck && push.status != "done"
                });
                open.count()
            };
            // What they have answered is noted right after.
            let deadline = Instant::now() + Duration::from_mins(3);
            while open(false) > 0 && Instant::now() < deadline {
                std::thread::yield_now();
            }
            // Nothing of the first has come back meanwhile: all that it was called with still hangs.
            let left = (open(false), open(true));
            drop(goes);
            stop.send_replace(true);
            assert_eq!(left.0, 0, "the nine have everything");
            assert_eq!(left.1, MEMBERS as usize + 1, "the tenth has nothing");
        });
    });
}
