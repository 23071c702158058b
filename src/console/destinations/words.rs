//! What a machine says of a call that did not come about, in words for whoever runs the site. The API tells it as it is.

/// What stands before the machine's words where no connection came about, and where one broke off.
const NO_CONNECTION: &str = "no connection: ";
const BROKE_OFF: &str = "the connection broke off: ";
/// What a text says where nothing came in time.
const TOO_SLOW: &str = "no answer within ";

/// What machines say in lower case, and what it means; the first that fits counts.
const WORDS: [(&[&str], &str); 8] = [
    (
        &["connection refused", "(os error 111)", "(os error 61)"],
        "Nobody answers at this address: the connection was refused. Is the site running, and is the port right?",
    ),
    (
        &["temporary failure in name resolution"],
        "The name in this address could not be looked up just now. Does the machine that Latchkey runs on reach the \
         internet?",
    ),
    (
        &["failed to lookup", "name or service not known", "no address"],
        "Nothing on the internet goes by the name in this address. Is it spelt right?",
    ),
    (
        &["unreachable", "no route to host", "(os error 101)", "(os error 113)"],
        "There is no way from here to this address. Is the machine of the site up, and does a firewall stand between?",
    ),
    (
        &["timed out", "(os error 110)"],
        "Nobody answers at this address in time. Is the site running, and does a firewall stand between?",
    ),
    (
        &["wrong version number", "packet length too long", "invalidcontenttype"],
        "What answers at this address does not speak https. Does the address begin with http:// there, or has it \
         another port?",
    ),
    (
        &["certificate", "self-signed", "self signed"],
        "The certificate of the site does not hold: it may have ended, be for another name, or be signed by nobody who \
         is known. A browser that opens the address says which.",
    ),
    (
        &[
            "connection reset",
            "broken pipe",
            "before message completed",
            "unexpected eof",
            "(os error 104)",
            "(os error 32)",
        ],
        "The other side hung up before it had answered. Is the site up, and does a firewall or a proxy shut Latchkey \
         out?",
    ),
];

/// A text of the API in words, and as the machine said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What there is to say.
    pub said: String,
    /// The text as it was, for whoever asks a machine about it; empty where that is all that there is.
    pub raw: String,
}

impl Told {
    /// Both in one text.
    pub fn whole(self) -> String {
        if self.raw.is_empty() { self.said } else { format!("{} ({})", self.said, self.raw) }
    }
}

/// Says a text of the API in words. One that a site has written, or Latchkey itself, stays as it is.
pub fn told(text: &str) -> Told {
    match meant(text) {
        Some((before, words)) => Told { said: format!("{before}{words}"), raw: text.to_owned() },
        None => Told { said: text.to_owned(), raw: String::new() },
    }
}

/// What stands before the words of the machine, and what those mean.
fn meant(text: &str) -> Option<(&str, &str)> {
    if let Some((before, cause)) = text.split_once(NO_CONNECTION) {
        let otherwise =
            "There is no connection to this address. Is it right, and is the site running?";
        return Some((before, in_words(cause).unwrap_or(otherwise)));
    }
    if let Some((before, cause)) = text.split_once(BROKE_OFF) {
        let otherwise =
            "The connection broke off before all of the answer had come. Is the site up?";
        return Some((before, in_words(cause).unwrap_or(otherwise)));
    }
    let (before, _) = text.split_once(TOO_SLOW)?;
    Some((before, "The site did not answer in time. Is it up, and does it open in a browser?"))
}

fn in_words(cause: &str) -> Option<&'static str> {
    let cause = cause.to_lowercase();
    let found = WORDS.iter().find(|(marks, _)| marks.iter().any(|mark| cause.contains(*mark)));
    found.map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_says_becomes_a_question_that_an_operator_can_answer() {
        for (cause, words) in [
            ("Connection refused (os error 111)", "is the port right?"),
            (
                "failed to lookup address information: Name or service not known",
                "Is it spelt right?",
            ),
            (
                "failed to lookup address information: Temporary failure in name resolution",
                "just now",
            ),
            ("no address", "Is it spelt right?"),
            ("No route to host (os error 113)", "no way from here"),
            ("Connection timed out (os error 110)", "in time"),
            ("error:0A00010B:SSL routines:ssl3_get_record:wrong version number", "speak https"),
            (
                "certificate verify failed: (self-signed certificate)",
                "The certificate of the site does not hold",
            ),
            ("Connection reset by peer (os error 104)", "hung up"),
            ("something nobody has thought of", "There is no connection to this address."),
        ] {
            let text = format!("no connection: {cause}.");
            let told = told(&text);
            assert!(told.said.contains(words), "{cause}: {told:?}");
            assert!(!told.said.contains("os error") && !told.said.contains(cause), "{told:?}");
            assert_eq!(told.raw, text);
        }
        let broken = told("the connection broke off: connection closed before message completed");
        assert!(broken.said.starts_with("The other side hung up"), "{broken:?}");
        let slow = told("no answer within 30 seconds, or no connection within 10");
        assert!(slow.said.starts_with("The site did not answer in time."), "{slow:?}");
    }

    #[test]
    fn what_stands_before_the_words_of_the_machine_stays_there() {
        let text = "Whether the role gold is there cannot be seen: no connection: Connection refused (os error 111).";
        let said = told(text).said;
        assert!(
            said.starts_with("Whether the role gold is there cannot be seen: Nobody"),
            "{said}"
        );
    }

    #[test]
    fn what_a_site_says_itself_stays_as_it_is() {
        for text in [
            "",
            "the destination answered 500: connection refused by the database",
            "The destination is disabled.",
        ] {
            assert_eq!(told(text), Told { said: text.to_owned(), raw: String::new() });
            assert_eq!(told(text).whole(), text);
        }
    }
}
