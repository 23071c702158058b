//! What carries access to the membership sites.

use super::super::operation::Operation;
use super::{delete, get, patch, post};
use crate::api::{destinations, pushes, runs};

pub fn destinations() -> Vec<Operation> {
    vec![
        get("/sites/{site}/destinations", destinations::list, "listDestinations", "List the destinations")
            .page::<destinations::DestinationView>("The destinations, newest first; never their secrets."),
        post("/sites/{site}/destinations", destinations::create, "createDestination", "Make a destination")
            .says("It is told of changes from then on. What a signed webhook signs with is made where none is given; it is in \
                this answer and nowhere else.")
            .made::<destinations::Written>()
            .conflict("The site has as many destinations as it may have."),
        get("/sites/{site}/destinations/{id}", destinations::get, "getDestination", "Look at a destination")
            .thing::<destinations::DestinationView>("The destination."),
        patch("/sites/{site}/destinations/{id}", destinations::edit, "editDestination", "Change a destination")
            .says("Another `config`, or `enabled`, says that whatever kept it from being called may be over: what waits is sent \
                at once.")
            .edited::<destinations::Written>(),
        delete("/sites/{site}/destinations/{id}", destinations::remove, "deleteDestination", "Delete a destination")
            .says("What was added at the site stays there, and is nobody's from now on. To have it removed, take the levels \
                away from the destination first, and let its pushes come to an end.")
            .ended("Nothing more is sent to it.")
            .if_match(),
        post("/sites/{site}/destinations/{id}/test", destinations::test, "testDestination", "Test a destination")
            .says("It is called within 30 seconds, and no member is touched: WordPress and Ghost are asked about credentials, \
                rights and names, a signed webhook gets a message of the type `test`. When all is well, a destination that was \
                `paused` or `broken` is called again.")
            .answers::<destinations::Tested>("What was found, in words, be it good or bad."),
        post("/sites/{site}/destinations/test", destinations::test_unsaved, "testUnsavedDestination", "Test before saving")
            .says("As for one that is there, and nothing of it is kept. A signed webhook's message is signed with \
                `config.secret`; where none is given, with one that nobody has, which a receiver that looks at it refuses.")
            .answers::<destinations::Tested>("What was found, in words, be it good or bad."),
        get("/sites/{site}/destinations/{id}/remotes", destinations::remotes, "listRemotes", "What levels can be told as")
            .says("The destination is asked within 30 seconds. WordPress lists its roles to nobody, so there may be more than are \
                seen; Ghost makes a label that it does not have.")
            .answers::<destinations::RemotesView>("What was seen there, or why it could not be asked."),
        post("/sites/{site}/destinations/remotes", destinations::remotes_of_unsaved, "listRemotesOfUnsaved", "The same before saving")
            .says("Nothing of it is kept.")
            .answers::<destinations::RemotesView>("What was seen there, or why it could not be asked."),
        post(
            "/sites/{site}/destinations/{id}/rotate-secret",
            destinations::rotate,
            "rotateDestinationSecret",
            "Make another secret",
        )
        .says("For a while, messages are signed with the secret before, too, so that the receiver refuses none meanwhile.")
        .answers::<destinations::Rotated>("The new secret, which no other answer shows.")
        .conflict("Nothing is signed for this kind, or an earlier secret is still in use."),
    ]
}

pub fn pushes() -> Vec<Operation> {
    vec![
        get("/sites/{site}/pushes", pushes::list, "listPushes", "List the pushes")
            .says("A page may be short, or empty, before the last where few pushes are of the destination asked for.")
            .page::<pushes::PushView>("The pushes, newest first."),
        get("/sites/{site}/pushes/{id}", pushes::get, "getPush", "Look at a push")
            .thing::<pushes::PushView>("The push."),
        post("/sites/{site}/pushes/{id}/retry", pushes::retry, "retryPush", "Take a push up again")
            .says("It carries what is wanted when it is sent, and begins at its first attempt.")
            .answers::<pushes::PushView>("The push as it now is.")
            .conflict("The destination was deleted, or somebody is to be welcomed while the push is under way."),
    ]
}

pub fn runs() -> Vec<Operation> {
    vec![
        post("/sites/{site}/destinations/{id}/resync", runs::resync, "resyncDestination", "Resync everybody")
            .says(
                "Everybody who holds a level that the destination is told of, and everybody of whom something is \
                remembered there. With `adopt`, as after a restore from a backup, what is wanted and already there is \
                Latchkey's from then on.",
            )
            .accepted::<runs::RunView>("It has begun. Follow it at `Location` until its state is `finished`.")
            .conflict("A run of this destination is open: follow that one to its end."),
        get("/sites/{site}/runs", runs::list, "listRuns", "List the runs of a destination")
            .says("The latest ten are kept.")
            .page::<runs::RunView>("The runs, newest first."),
        get("/sites/{site}/runs/{id}", runs::get, "getRun", "Look how far a run is")
            .thing::<runs::RunView>("The run."),
        get("/sites/{site}/drift", runs::drift, "listDrift", "What differs at the destinations")
            .says(
                "Of the latest run that has looked at each destination. It looks by itself at night, and repairs what \
                it finds. Whoever has a push under way is not counted.",
            )
            .answers::<runs::ReportView>("The latest look at each destination, and a page of what was found."),
        post("/sites/{site}/drift", runs::observe, "observeDrift", "Look what differs now")
            .says("At every enabled destination, or at one; where a run is open already, that one is answered.")
            .accepted::<runs::RunsView>("It has begun.")
            .conflict("The destination that is named is disabled."),
        post("/sites/{site}/drift/repair", runs::repair, "repairDrift", "Repair what differs now")
            .says(
                "At every enabled destination, or at one: what differs is pushed, and what has failed is taken up again. A signed \
                webhook cannot be looked at: there, only what has failed is told again.",
            )
            .accepted::<runs::RunsView>("It has begun.")
            .conflict("The destination that is named is disabled."),
    ]
}
