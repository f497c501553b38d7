//! How much is told of one failure.

/// Of a message and of a detail: enough for fifty complaints, and little enough for a document that goes through a queue.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// A text that quotes what a component wrote, cut with a mark. To be masked before: half a secret is not recognised.
pub(crate) fn told(text: String) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text;
    }
    let end = (0..=TEXT_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let begin = text.get(..end).unwrap_or_default();
    format!("{begin} [cut: the text has {} bytes]", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_letters_and_says_so() {
        let long = format!("x{}", "\u{20ac}".repeat(TEXT_BYTES_MAX));
        let cut = told(long.clone());
        assert_eq!(cut, format!("x{} [cut: the text has {} bytes]", "\u{20ac}".repeat(21_845), long.len()));
        assert_eq!(told("as it is".to_owned()), "as it is");
    }
}
