//! `seatwright dead`: what could not be done, and back to its lane with it.

use jiff::Timestamp;

use super::{Exit, parts::BrokerArguments, terminal::error};
use crate::adapters::amqp::{DeadLetter, DeadLetters};

/// Look at what could not be done (the queue `seatwright.dead`), and give it back to its lane.
///
/// Looking removes nothing. Exit code 0: done; 1: something was not found, or could not be replayed; 3: no broker.
#[derive(Debug, clap::Args)]
pub(super) struct DeadCommand {
    #[command(subcommand)]
    action: DeadAction,
}

#[derive(Debug, clap::Subcommand)]
enum DeadAction {
    /// One line for each: job, lane, age, reason. The oldest first.
    List {
        #[command(flatten)]
        broker: BrokerArguments,
        /// Look at no more than this.
        #[arg(long, value_name = "COUNT", default_value_t = 200)]
        limit: usize,
    },
    /// All that is known of one, with its body.
    Show {
        /// The id of the job, as `list` shows it.
        job: String,
        #[command(flatten)]
        broker: BrokerArguments,
        /// Look at no more than this.
        #[arg(long, value_name = "COUNT", default_value_t = 1000)]
        limit: usize,
    },
    /// Publish again, each to its lane, and only then remove. What is wrong with a job should be mended first: a playbook,
    /// a configuration, the app.
    Replay {
        /// The ids of the jobs, as `list` shows them.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        jobs: Vec<String>,
        /// All that are there.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        broker: BrokerArguments,
        /// Look at no more than this.
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
                    (None, _) => println!("nothing: every job that came was answered"),
                    (_, 0) => {}
                    (_, more) => println!("… and {more} more: --limit COUNT"),
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
                error(format_args!("there is no {job} on seatwright.dead: see `seatwright dead list`"));
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
            Ok(()) => println!("{} is on its lane {} again", letter.job, lane(letter)),
            Err(failure) => {
                good = false;
                error(format_args!("{} stays where it is: {failure}", letter.job));
            }
        }
    }
    let more = dead.more;
    dead.close().await;
    for job in missing {
        good = false;
        error(format_args!("there is no {job} on seatwright.dead: see `seatwright dead list`"));
    }
    if more > 0 {
        error(format_args!("{more} more were not looked at: --limit COUNT"));
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
        None => "withheld: it held a secret in clear".to_owned(),
        Some(body) => serde_json::from_slice::<serde_json::Value>(body)
            .and_then(|value| serde_json::to_string_pretty(&value))
            .unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned()),
    };
    let at = letter.since.map_or_else(|| "nobody wrote down".to_owned(), |at| at.to_string());
    format!(
        "job     {}\nlane    {}\nsince   {at} ({})\nreason  {}\n{body}",
        letter.job,
        lane(letter),
        age(letter),
        letter.reason
    )
}

/// How long it has been there: the largest unit alone.
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
