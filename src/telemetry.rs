//! Lines on stderr, for people or for machines. Nothing personal is written but ids; that is why libraries stay at
//! `info` when our own level goes below it: an HTTP client at `trace` writes bodies and headers.

use std::{
    env::VarError,
    error::Error,
    io::{self, IsTerminal},
};

use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::FromEnvError, fmt, layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::settings::{Log, LogFormat, LogLevel};

/// Starts writing to stderr; the variable `RUST_LOG` replaces the level. A second start in the same process changes
/// nothing, so that tests may each call it.
pub fn start(log: &Log) {
    let (filter, unreadable) = filter(log.level);
    let terminal = io::stderr().is_terminal();
    let format = log.format.unwrap_or(if terminal { LogFormat::Pretty } else { LogFormat::Json });
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(io::stderr).boxed(),
        LogFormat::Pretty if terminal => fmt::layer().compact().with_writer(io::stderr).boxed(),
        LogFormat::Pretty => {
            fmt::layer().compact().with_ansi(false).with_writer(io::stderr).boxed()
        }
    };
    let started = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init().is_ok();
    if let (true, Some(error)) = (started, unreadable) {
        tracing::warn!(%error, "RUST_LOG cannot be read and is ignored; correct it or unset it");
    }
}

/// What is written, and what was wrong with `RUST_LOG` when it is set and cannot be followed.
fn filter(level: LogLevel) -> (EnvFilter, Option<FromEnvError>) {
    let default = || EnvFilter::new(directives(level));
    match EnvFilter::try_from_default_env() {
        // A variable that is set to nothing would silence all but errors, which nobody means by it.
        Ok(filter) if filter.to_string().is_empty() => (default(), None),
        Ok(filter) => (filter, None),
        Err(error) => {
            let absent =
                error.source().and_then(<dyn Error>::downcast_ref) == Some(&VarError::NotPresent);
            (default(), (!absent).then_some(error))
        }
    }
}

fn directives(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "info,latchkey=debug",
        LogLevel::Trace => "info,latchkey=trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_a_filter_that_keeps_libraries_quiet() {
        for level in
            [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace]
        {
            let filter: EnvFilter = directives(level).parse().unwrap();
            assert!(
                filter
                    .to_string()
                    .split(',')
                    .all(|one| one.starts_with("latchkey=") || one <= "info" || one == "warn")
            );
        }
    }

    #[test]
    fn a_second_start_is_harmless() {
        let log = Log { level: LogLevel::Error, format: Some(LogFormat::Json) };
        start(&log);
        start(&log);
    }
}
