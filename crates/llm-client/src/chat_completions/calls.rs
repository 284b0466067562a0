//! Puts the pieces of parallel calls together, whichever way a server numbers them.

use chat_core::ports::ModelEventKind;

use crate::fault::Failure;

use super::wire::CallDelta;

/// More calls in one answer than any model makes.
const MOST: usize = 128;

/// The calls of one answer, numbered in the order they began.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

#[derive(Debug)]
struct Call {
    /// The server's number; some send none, some the same for all.
    number: Option<u32>,
    id: String,
    /// Whether its name has come, and with it its beginning.
    started: bool,
    /// Arguments that came before the name.
    early: String,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a call has no name yet.
    pub(super) fn has_unnamed(&self) -> bool {
        self.0.iter().any(|call| !call.started)
    }

    /// Takes in a piece and gives what it means. Errs for more than 128 calls.
    pub(super) fn push(
        &mut self,
        piece: CallDelta<'_>,
        out: &mut dyn FnMut(ModelEventKind),
    ) -> Result<(), Failure> {
        let function = piece.function.unwrap_or_default();
        let text = function.arguments();
        let (id, name) = (piece.id.0, function.name.0);
        let at = match self.find(piece.index, &id, &name) {
            Some(at) => at,
            None if self.0.len() == MOST => return Err(Failure::malformed("too many calls")),
            None => {
                self.0.push(Call {
                    number: piece.index,
                    id: String::new(),
                    started: false,
                    early: String::new(),
                });
                self.0.len() - 1
            }
        };
        let Some(call) = self.0.get_mut(at) else {
            return Ok(());
        };
        let index = u32::try_from(at).unwrap_or(u32::MAX);
        if call.id.is_empty() {
            call.id.push_str(&id);
        }
        if !call.started {
            call.early.push_str(&text);
            if name.is_empty() {
                return Ok(());
            }
            call.started = true;
            out(ModelEventKind::CallStarted {
                index,
                call_id: call.id.clone(),
                name: name.into_owned(),
            });
            let early = std::mem::take(&mut call.early);
            if !early.is_empty() {
                out(ModelEventKind::CallArguments { index, text: early });
            }
        } else if !text.is_empty() {
            let text = text.into_owned();
            out(ModelEventKind::CallArguments { index, text });
        }
        Ok(())
    }

    /// The call that a piece belongs to; `None` if it begins one.
    fn find(&self, number: Option<u32>, id: &str, name: &str) -> Option<usize> {
        match number {
            // The last one of this number: a new id with a name begins another call under the same number.
            Some(_) => self
                .0
                .iter()
                .rposition(|call| call.number == number)
                .filter(|&at| {
                    self.0.get(at).is_some_and(|call| {
                        id.is_empty() || call.id.is_empty() || call.id == id || name.is_empty()
                    })
                }),
            None if !id.is_empty() => self.0.iter().rposition(|call| call.id == id),
            None if !name.is_empty() => None,
            None => self.0.len().checked_sub(1),
        }
    }
}
