//! Whether any frame of a page shows a secret. Every frame is asked, also one that the page is leaving.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    ask::{ask_document, ask_world},
    connection::ConnectionError,
    context_state::ContextState,
    fault::CallError,
    target_session::TargetSession,
};
use crate::query::{Answer, Question};

/// How long one frame may search. A busy machine needs a while for a large document.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Does any frame of the page contain one of the texts?
pub(super) async fn any_frame_contains(
    page: &Arc<TargetSession>,
    context: &ContextState,
    question: &Question,
    deadline: Instant,
) -> Result<bool, CallError> {
    let soon = || deadline.min(Instant::now() + SEARCH_TIMEOUT);
    let shows = |answer: &Answer| matches!(answer, Answer::Contains { contains: true });
    let top = page.top();
    if shows(&ask_document(page, top, question, soon()).await?) {
        return Ok(true);
    }
    for session in [Arc::clone(page)].into_iter().chain(context.all_frames()) {
        for (frame, world) in session.worlds().into_iter().filter(|(frame, _)| frame != top) {
            match ask_world((&session, &frame, &world), question, soon()).await {
                Ok(answer) if shows(&answer) => return Ok(true),
                // It is not known what this frame shows.
                Err(CallError::Connection(ConnectionError::Late)) => {
                    return Err(ConnectionError::Late.into());
                }
                // A frame that is gone shows nothing.
                Ok(_) | Err(_) => {}
            }
        }
    }
    Ok(false)
}
