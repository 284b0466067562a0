//! Builds a prompt from what is stored, within the budget.

use token_budget::{Encoding, Item, TooLong, Turn, count, message_cost, whole_budget};

use crate::{
    id::ConversationId,
    message::{Call, Message, MessageBody, PartContent, Role, ToolResult},
    ports::{Attachments, MessageQuery, Messages, PromptCall, PromptItem, StoreError, Wanted},
    run::LegSettings,
};

pub(super) use crate::cost::{cost_of, counted_cost};

/// Messages are read in pages, newest first, until the budget is full: a few at first, since they may be large.
const PAGES: (u32, u32) = (4, 64);

/// A prompt takes no more of the history than this many bytes. Images cost few tokens and may take megabytes; upstreams
/// refuse bodies of such sizes.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// No prompt is larger than this: a message may name any number of stored images, the same one again and again.
const MAX_BYTES_WITH_IMAGES: usize = 4 * MAX_BYTES;

/// A prompt that fits.
#[derive(Debug)]
pub(super) struct Prompt {
    pub(super) items: Vec<PromptItem>,
    /// What it costs, as we count it.
    pub(super) tokens: u32,
    /// About how many bytes it takes.
    pub(super) bytes: usize,
}

/// What is stored before the place `answer_seq`, newest first, with costs: as much as the budget may hold and a little more.
pub(super) async fn read(
    messages: &dyn Messages,
    conversation: ConversationId,
    answer_seq: u64,
    settings: &LegSettings,
) -> Result<Vec<(Message, u32)>, StoreError> {
    let mut newest_first: Vec<(Message, u32)> = Vec::new();
    let mut total: u32 = 0;
    let mut bytes = 0;
    let mut before = answer_seq;
    let mut limit = PAGES.0;
    loop {
        let page = messages
            .list_messages(MessageQuery {
                conversation,
                wanted: Wanted::Before(before),
                limit,
            })
            .await?;
        for message in page.messages {
            before = message.seq;
            bytes += message.body.weight();
            // The newest message is the one to be answered, however large it is.
            if bytes > MAX_BYTES && !newest_first.is_empty() {
                return Ok(newest_first);
            }
            let cost = match message.body.cost(&settings.encoding) {
                Some(cost) => cost,
                None => cost_of(&message.body, message.role, encoding_of(settings)).await,
            };
            total = total.saturating_add(cost);
            newest_first.push((message, cost));
        }
        // One message beyond the budget is enough to know that nothing older fits.
        if !page.more || total > settings.prompt_budget {
            return Ok(newest_first);
        }
        limit = (limit * 2).min(PAGES.1);
    }
}

/// The prompt that is made of this history, newest first: the system prompt, as much of the history in whole turns as the
/// budget holds, and the newest message, always. After it comes the answer as far as earlier legs have written it.
pub(super) fn build(
    mut newest_first: Vec<(Message, u32)>,
    so_far: Option<&(MessageBody, u32)>,
    settings: &LegSettings,
) -> Result<Prompt, TooLong> {
    let encoding = encoding_of(settings);
    let pinned = settings
        .system
        .as_deref()
        .map_or(0, |text| message_cost(encoding, "system", text, None));
    newest_first.reverse();
    let mut oldest_first = newest_first;
    let newest = oldest_first.pop();
    let live: Vec<Item> = oldest_first
        .iter()
        .map(|(message, cost)| Item {
            cost: *cost,
            is_user: message.role == Role::User,
        })
        .collect();
    let turn = Turn {
        pinned,
        live: &live,
        new: newest
            .as_ref()
            .map_or(0, |(_, cost)| *cost)
            .saturating_add(so_far.map_or(0, |(_, cost)| *cost)),
    };
    let fit = whole_budget(settings.prompt_budget, &turn)?;
    let mut items = Vec::new();
    if let Some(system) = &settings.system {
        items.push(PromptItem::System(system.clone()));
    }
    let mut bytes = settings.system.as_ref().map_or(0, String::len);
    for (message, _) in oldest_first.drain(fit.start..).chain(newest) {
        bytes += message.body.weight();
        put(&message, &mut items);
    }
    if let Some((body, _)) = so_far {
        bytes += body.weight();
        put_answer(body, &mut items);
    }
    Ok(Prompt {
        items,
        tokens: fit.prompt,
        bytes,
    })
}

/// Puts the bytes of stored images in the place of their URLs, which a model's server could not reach.
///
/// Once the images of older messages would make the prompt too large, they are left out together with all before them. The
/// newest message has all of its images; `false`, when these are more than a prompt may ever have.
pub(super) async fn inline_images(
    prompt: &mut Prompt,
    attachments: &dyn Attachments,
) -> Result<bool, StoreError> {
    let mut room = MAX_BYTES.saturating_sub(prompt.bytes);
    let (mut is_newest, mut is_full) = (true, false);
    for item in prompt.items.iter_mut().rev() {
        let PromptItem::User { images, .. } = item else {
            continue;
        };
        for url in std::mem::take(images) {
            if url.starts_with("data:") {
                images.push(url);
                continue;
            }
            if is_full && !is_newest {
                continue;
            }
            let Some(data) = attachments.inline(&url).await? else {
                images.push(url);
                continue;
            };
            is_full |= data.len() > room;
            if is_full && !is_newest {
                continue;
            }
            room = room.saturating_sub(data.len());
            prompt.bytes += data.len();
            images.push(data);
            if prompt.bytes > MAX_BYTES_WITH_IMAGES {
                return Ok(false);
            }
        }
        is_newest = false;
    }
    Ok(true)
}

/// The encoding that a leg counts in.
pub(super) fn encoding_of(settings: &LegSettings) -> Encoding {
    settings.encoding.parse().unwrap_or(Encoding::O200kBase)
}

/// What a tool's output adds to a prompt that is being continued.
pub(super) fn output_cost(encoding: Encoding, text: &str) -> u32 {
    count(encoding, text).saturating_add(token_budget::MESSAGE_OVERHEAD)
}

/// Writes a stored message into the prompt. What has no content for a model is left out.
fn put(message: &Message, items: &mut Vec<PromptItem>) {
    match message.role {
        Role::System => items.push(PromptItem::System(message.body.text())),
        Role::User => {
            let images = message
                .body
                .parts
                .iter()
                .filter_map(|part| part.content.as_image())
                .map(str::to_owned)
                .collect();
            items.push(PromptItem::User {
                text: message.body.text(),
                images,
            });
        }
        Role::Assistant => put_answer(&message.body, items),
    }
}

/// Writes an answer step by step: text and calls, then the outputs of those calls. A call whose reader never consented was
/// refused. Any other one without an output is left out, since upstreams refuse a prompt with one.
fn put_answer(body: &MessageBody, items: &mut Vec<PromptItem>) {
    let output_of = |ordinal: u32, call: &Call| {
        let mut outputs = body
            .parts
            .iter()
            .filter_map(|part| part.content.as_output());
        let output = outputs.find_map(|(of, result)| (of == ordinal).then(|| result.clone()));
        let denied = || {
            call.waits_for_consent()
                .then_some(ToolResult::Denied { reason: None })
        };
        output.or_else(denied)
    };
    for step in body.parts.chunk_by(|a, b| a.step == b.step) {
        let mut text = String::new();
        let mut calls = Vec::new();
        let mut outputs = Vec::new();
        for part in step {
            match &part.content {
                PartContent::Text { text: one, .. } | PartContent::Refusal { text: one } => {
                    text.push_str(one);
                }
                PartContent::Call(call) => {
                    if let Some(result) = output_of(part.ordinal, call) {
                        calls.push(PromptCall::from(call));
                        outputs.push(PromptItem::Output {
                            call_id: call.call_id.clone(),
                            result,
                        });
                    }
                }
                PartContent::Reasoning { .. }
                | PartContent::CallOutput { .. }
                | PartContent::ToolList { .. }
                | PartContent::File { .. }
                | PartContent::Source { .. }
                | PartContent::Data { .. }
                | PartContent::Opaque { .. } => {}
            }
        }
        if !text.is_empty() || !calls.is_empty() {
            items.push(PromptItem::Assistant { text, calls });
        }
        items.append(&mut outputs);
    }
}
