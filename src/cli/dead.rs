//! `seatwright dead`: shows dead letters, and publishes them to their lanes again.

use jiff::Timestamp;

use super::{Exit, parts::BrokerArguments, terminal::error};
use crate::adapters::amqp::{DeadLetter, DeadLetters};

/// Show the jobs that could not be done (the queue `seatwright.dead`), or publish them again.
///
/// Showing removes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct DeadCommand {
    #[command(subcommand)]
    action: DeadAction,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  Done.
  1  A job was not found, or could not be published again.
  3  Not ready: the configuration or the broker cannot be used.";

#[derive(Debug, clap::Subcommand)]
enum DeadAction {
    /// Print one line per job: id, lane, age, reason. The oldest is first.
    #[command(after_help = EXIT_CODES)]
    List {
        #[command(flatten)]
        broker: BrokerArguments,
        /// Read at most this number of messages.
        #[arg(long, value_name = "COUNT", default_value_t = 200)]
        limit: usize,
    },
    /// Print everything that is known of one job, with its body.
    #[command(after_help = EXIT_CODES)]
    Show {
        /// The id of the job, as `list` prints it.
        job: String,
        #[command(flatten)]
        broker: BrokerArguments,
        /// Read at most this number of messages.
        #[arg(long, value_name = "COUNT", default_value_t = 1000)]
        limit: usize,
    },
    /// Publish jobs to their lanes again, and then remove them from `seatwright.dead`.
    ///
    /// First fix what was wrong: the playbook, the configuration or the app.
    #[command(after_help = EXIT_CODES)]
    Replay {
        /// The ids of the jobs, as `list` prints them.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        jobs: Vec<String>,
        /// Replay every job.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        broker: BrokerArguments,
        /// Read at most this number of messages.
        #[arg(long, value_name = "COUNT", default_value_t = 1000)]
        limit: usize,
    },
}

impl DeadCommand {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self.action {
            DeadAction::List { broker, limit } => {
                let dead = DeadLetters::read(&broker.url()?, limit).await?;
                for letter in dead.letters() {
                    println!("{}", line(letter));
                }
                match (dead.letters().next(), dead.more) {
                    (None, _) => println!("there are no dead letters"),
                    (_, 0) => {}
                    (_, more) => println!("… and {more} more: `--limit COUNT` reads them, too"),
                }
                dead.close().await;
                Ok(Exit::Done)
            }
            DeadAction::Show { job, broker, limit } => {
                let dead = DeadLetters::read(&broker.url()?, limit).await?;
                let mut found = false;
                for letter in dead.letters().filter(|letter| letter.job == job) {
                    found = true;
                    println!("{}", whole(letter));
                }
                dead.close().await;
                if found {
                    return Ok(Exit::Done);
                }
                error(format_args!(
                    "seatwright.dead has no job {job}: `seatwright dead list` prints the ids"
                ));
                Ok(Exit::NotDone)
            }
            DeadAction::Replay { jobs, all, broker, limit } => {
                replay(&broker.url()?, &jobs, all, limit).await
            }
        }
    }
}

async fn replay(url: &str, jobs: &[String], all: bool, limit: usize) -> anyhow::Result<Exit> {
    let dead = DeadLetters::read(url, limit).await?;
    let mut good = true;
    let mut missing: Vec<&String> = jobs.iter().collect();
    for (number, letter) in dead.letters().enumerate() {
        if !all && !jobs.contains(&letter.job) {
            continue;
        }
        missing.retain(|job| **job != letter.job);
        match dead.replay(number).await {
            Ok(()) => println!("{} is published to lane {} again", letter.job, lane(letter)),
            Err(failure) => {
                good = false;
                error(format_args!("{} stays on seatwright.dead: {failure}", letter.job));
            }
        }
    }
    let more = dead.more;
    dead.close().await;
    for job in missing {
        good = false;
        error(format_args!("seatwright.dead has no job {job}: `seatwright dead list` prints the ids"));
    }
    if more > 0 {
        error(format_args!("{more} more messages were not read: `--limit COUNT` reads them, too"));
    }
    Ok(if good { Exit::Done } else { Exit::NotDone })
}

fn lane(letter: &DeadLetter) -> &str {
    letter.lane.as_deref().unwrap_or("?")
}

fn line(letter: &DeadLetter) -> String {
    let kept = if letter.body.is_some() { "" } else { " (withheld)" };
    format!("{:<28} {:<16} {:>12}  {}{kept}", letter.job, lane(letter), age(letter), letter.reason)
}

fn whole(letter: &DeadLetter) -> String {
    let body = match &letter.body {
        None => "withheld: it contained a secret in clear text".to_owned(),
        Some(body) => serde_json::from_slice::<serde_json::Value>(body)
            .and_then(|value| serde_json::to_string_pretty(&value))
            .unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned()),
    };
    let at = letter.since.map_or_else(|| "unknown".to_owned(), |at| at.to_string());
    format!(
        "job     {}\nlane    {}\nsince   {at} ({})\nreason  {}\n{body}",
        letter.job,
        lane(letter),
        age(letter),
        letter.reason
    )
}

/// How long a message has been there, in its largest unit.
fn age(letter: &DeadLetter) -> String {
    let Some(since) = letter.since else { return "?".to_owned() };
    let age = Timestamp::now().duration_since(since).as_secs();
    match age {
        ..60 => format!("{} s", age.max(0)),
        60..3600 => format!("{} min", age / 60),
        3600..172_800 => format!("{} h", age / 3600),
        _ => format!("{} days", age / 86_400),
    }
}
