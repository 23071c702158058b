//! Random stories: mostly coherent lives of buyers, spoilt on purpose.
//!
//! A story is made in four steps: a [`Stage`] (time zone, people, products), the facts of their lives ([`lives`]), what goes
//! wrong with the facts ([`spoil`]), and what of it Kartra sends, over which feed and how written ([`deliver`], [`render`]).
//! The operator's side ([`operator`]) comes last. A third of the stories is not spoilt at all, so that access is often
//! really held; most times lie on whole days or hours, so that events tie and ends touch.

mod deliver;
mod lives;
mod operator;
mod render;
mod spoil;
mod stage;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::story::Story;
use stage::Stage;

/// The story of this seed: the same seed, the same story.
pub fn story(seed: u64) -> Story {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let stage = Stage::set(&mut rng);
    let mut facts = lives::facts(&mut rng, &stage);
    spoil::facts(&mut rng, &stage, &mut facts);
    let sent = deliver::webhooks(&mut rng, &stage, &facts);
    operator::story(&mut rng, &stage, sent)
}
