//! Asks a question in one document.

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{
    events::{self, Evaluated},
    fault::CallError,
    navigation::FrameState,
    target_session::TargetSession,
};
use crate::{
    ports::driver::DriverError,
    query::{Answer, Ask, Question},
};

/// Calls the script in the page.
const ASK: &str = "function(q){return globalThis.__seatwright.ask(q)}";

/// Asks in the document of a frame, as soon as no navigation is under way.
pub(super) async fn ask_document(
    session: &TargetSession,
    frame: &str,
    question: &Question,
    deadline: Instant,
) -> Result<Answer, CallError> {
    let world = session.world(frame, deadline).await?;
    ask_world((session, frame, &world), question, deadline).await
}

/// Asks in one world of a frame, whatever is under way.
pub(super) async fn ask_world(
    (session, frame, world): (&TargetSession, &str, &str),
    question: &Question,
    deadline: Instant,
) -> Result<Answer, CallError> {
    let reply = session.call(
        "Runtime.callFunctionOn",
        CallFunctionOn {
            function_declaration: ASK,
            unique_context_id: world,
            arguments: [Argument { value: question }],
            await_promise: true,
            return_by_value: true,
        },
    );
    let world_gone = session.wait(frame, deadline, |frame| match frame.is_world(world) {
        true => Err(deadline),
        false => Ok(()),
    });
    let answer = tokio::select! {
        // An answer that came before its world went counts.
        biased;
        answer = reply.by(deadline) => answer,
        gone = world_gone => match gone {
            Ok(()) => return Err(DriverError::Navigated.into()),
            Err(error) => Err(error),
        },
    };
    let settles = matches!(question.ask, Ask::Probe { settle: true, .. });
    match answer {
        // The answer is about a document that the page is leaving.
        Ok(_) if settles && session.frame(frame, FrameState::is_leaving) => {
            Err(DriverError::Navigated.into())
        }
        Ok(answer) => Ok(read_answer(question, &answer)?),
        Err(error) => Err(error.into()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallFunctionOn<'a> {
    function_declaration: &'static str,
    unique_context_id: &'a str,
    arguments: [Argument<'a>; 1],
    await_promise: bool,
    return_by_value: bool,
}

#[derive(Serialize)]
struct Argument<'a> {
    value: &'a Question,
}

fn read_answer(question: &Question, answer: &RawValue) -> Result<Answer, DriverError> {
    let evaluated: Evaluated<'_> = events::result("Runtime.callFunctionOn", answer)?;
    if let Some(details) = evaluated.exception_details {
        let thrown = details.exception.and_then(|thrown| thrown.description);
        let thrown = thrown.unwrap_or(details.text);
        let first_line = thrown.lines().next().unwrap_or_default();
        return Err(DriverError::Protocol(match question.ask {
            // The exception may quote the text to type.
            Ask::Set { .. } => "the script in the page failed".to_owned(),
            _ => format!("the script in the page failed: {first_line:.300}"),
        }));
    }
    match evaluated.result.value {
        Some(value) => events::result("Runtime.callFunctionOn", value),
        None => Err(DriverError::Protocol("the script in the page answered nothing".to_owned())),
    }
}
