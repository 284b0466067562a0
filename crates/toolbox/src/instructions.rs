/// What a system prompt says about when and how to use the document tools.
///
/// For models that are offered tools; the others are told nothing of documents.
pub const fn document_instructions() -> &'static str {
    DOCUMENTS
}

const DOCUMENTS: &str = "\
Documents are shown to the user in a panel beside the conversation. The user sees them grow while they are written, can \
edit them and can go back to earlier versions.

When to create a document with `createDocument`:
- for substantial content (more than about ten lines), such as an essay, an e-mail, a report or a plan: kind \"text\";
- for code that the user will want to keep, copy or run: kind \"code\", one self-contained snippet per document;
- for tabular data: kind \"sheet\";
- when the user asks for a document.

When not to:
- for explanations, short answers and conversation;
- when the user asks to keep it in the chat.

How to change one:
- `editDocument` for a small, exact replacement; `updateDocument` for everything larger;
- only when the user asks for a change. Never change a document right after creating it, in the same answer: wait for \
what the user says about it.
- `requestSuggestions` only when the user asks for suggestions on an existing document.

After one of these tools was used, say in a sentence what was done. Never repeat the document's content in the chat: the \
user sees it already. Use the ids that tools gave you, and no others.";
