use reqwest::Response;
use serde_json::Value;

/// A numbered piece of a stream [W2].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) id: u64,
    pub(crate) data: String,
}

impl Frame {
    /// Its chunk; `null` for the last frame.
    pub(crate) fn chunk(&self) -> Value {
        if self.data == "[DONE]" {
            return Value::Null;
        }
        serde_json::from_str(&self.data).unwrap()
    }

    /// The type of its chunk, or `[DONE]`.
    pub(crate) fn kind(&self) -> String {
        self.chunk()["type"].as_str().unwrap_or("[DONE]").to_owned()
    }
}

/// A stream that is being read.
#[derive(Debug)]
pub(crate) struct EventStream {
    pub(crate) response: Response,
    /// Everything that came.
    bytes: Vec<u8>,
    /// How much of it was given out as frames.
    read: usize,
}

impl EventStream {
    pub(crate) fn new(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        Self {
            response,
            bytes: Vec::new(),
            read: 0,
        }
    }

    /// The id of the answer, as the head has it [W60].
    pub(crate) fn answer_id(&self) -> String {
        let id = &self.response.headers()["x-skein-message-id"];
        id.to_str().unwrap().to_owned()
    }

    /// The next frame; `None` at the end. Comments are passed over.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        self.try_next().await.unwrap()
    }

    /// The same from a server that may die.
    pub(crate) async fn try_next(&mut self) -> Result<Option<Frame>, reqwest::Error> {
        loop {
            let unread = std::str::from_utf8(&self.bytes[self.read..]).unwrap_or_default();
            if let Some(end) = unread.find("\n\n") {
                let block = unread[..end].to_owned();
                self.read += end + 2;
                if let Some(frame) = frame(&block) {
                    return Ok(Some(frame));
                }
                continue;
            }
            match self.response.chunk().await? {
                Some(chunk) => self.bytes.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// Reads until a text has begun to come, and gives its first piece.
    pub(crate) async fn first_text(&mut self) -> String {
        self.until("text-delta").await.chunk()["delta"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Reads up to the next frame of this kind.
    pub(crate) async fn until(&mut self, kind: &str) -> Frame {
        loop {
            let frame = self
                .next()
                .await
                .unwrap_or_else(|| panic!("the stream ended before {kind}"));
            if frame.kind() == kind {
                return frame;
            }
        }
    }

    /// Reads to the end and gives all that ever came, also what was read before.
    pub(crate) async fn finish(mut self) -> Replay {
        while let Some(chunk) = self.response.chunk().await.unwrap() {
            self.bytes.extend_from_slice(&chunk);
        }
        Replay::new(self.bytes)
    }
}

/// A stream that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replay {
    /// Without comments, which are no part of it [W4].
    pub(crate) text: String,
}

impl Replay {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8(bytes).unwrap();
        let blocks = text.split_inclusive("\n\n");
        Self {
            text: blocks.filter(|block| !block.starts_with(':')).collect(),
        }
    }

    /// Its whole frames.
    pub(crate) fn frames(&self) -> Vec<Frame> {
        let blocks = self.text.split_inclusive("\n\n");
        blocks
            .filter_map(|block| frame(block.strip_suffix("\n\n")?))
            .collect()
    }

    /// The types of its chunks in order, a run of the same one told once.
    pub(crate) fn kinds(&self) -> Vec<String> {
        let mut kinds: Vec<String> = self.frames().iter().map(Frame::kind).collect();
        kinds.dedup();
        kinds
    }

    /// The chunks of this type.
    pub(crate) fn chunks(&self, kind: &str) -> Vec<Value> {
        let frames = self.frames().into_iter();
        frames
            .filter(|frame| frame.kind() == kind)
            .map(|frame| frame.chunk())
            .collect()
    }

    /// What its text pieces say together.
    pub(crate) fn said(&self) -> String {
        let pieces = self.chunks("text-delta");
        pieces
            .iter()
            .map(|piece| piece["delta"].as_str().unwrap())
            .collect()
    }
}

/// The frame in a block; `None` for a comment. Anything else must not be there.
fn frame(block: &str) -> Option<Frame> {
    if block.starts_with(':') {
        return None;
    }
    let (id, data) = block
        .strip_prefix("id: ")
        .and_then(|rest| rest.split_once("\ndata: "))
        .unwrap_or_else(|| panic!("this is no frame: {block:?}"));
    assert!(!data.contains('\n'), "a chunk spans lines [W2]: {block:?}");
    Some(Frame {
        id: id.parse().unwrap(),
        data: data.to_owned(),
    })
}
