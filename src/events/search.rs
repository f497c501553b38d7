//! Looks for secrets in what a component leaves, with the redactor's eyes: in each form that is masked in speech.

use std::io::{self, Read};

use super::Redactor;

/// Read at once.
const PIECE_BYTES: usize = 1 << 20;

impl Redactor {
    /// Whether there is anything to look for.
    pub(crate) fn is_blind(&self) -> bool {
        self.patterns().is_none()
    }

    pub(crate) fn finds(&self, text: &str) -> bool {
        self.patterns().is_some_and(|(automaton, _)| automaton.is_match(text))
    }

    /// The line, from 1, on which the first secret of a stream begins. Memory is bounded by a piece and the longest
    /// form; a secret over the border of two pieces is found. Blocking.
    pub(crate) fn first_line(&self, input: &mut impl Read) -> io::Result<Option<u64>> {
        let Some((automaton, length_max)) = self.patterns() else { return Ok(None) };
        let (mut held, mut lines) = (Vec::with_capacity(PIECE_BYTES + length_max), 0_u64);
        loop {
            let read = input.take(PIECE_BYTES as u64).read_to_end(&mut held)?;
            if let Some(found) = automaton.find(&held) {
                let before = held.get(..found.start()).unwrap_or_default();
                return Ok(Some(1 + lines + newlines(before)));
            }
            if read == 0 {
                return Ok(None);
            }
            // The beginning of a secret may be at the end.
            let done = held.len().saturating_sub(length_max - 1);
            lines += newlines(held.get(..done).unwrap_or_default());
            held.drain(..done);
        }
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_on_its_line_wherever_pieces_are_cut() {
        let redactor = Redactor::new(["swordfish-9000"]);
        for offset in (0..40).chain([PIECE_BYTES - 60, 2 * PIECE_BYTES - 60]) {
            let mut text = b"n\n".to_vec();
            text.resize(PIECE_BYTES - 20 + offset, b'x');
            text.extend_from_slice(b"\na,swordfish-9000\n");
            assert_eq!(redactor.first_line(&mut text.as_slice()).unwrap(), Some(3), "{offset}");
        }
    }

    #[test]
    fn other_forms_are_found_and_what_is_no_secret_is_not() {
        let redactor = Redactor::new(["swordfish-9000"]);
        assert_eq!(redactor.first_line(&mut &b"a\nb\nc3dvcmRmaXNoLTkwMDA=\n"[..]).unwrap(), Some(3));
        assert_eq!(redactor.first_line(&mut &b"swordfish-900\n0"[..]).unwrap(), None);
        assert!(redactor.finds("x=swordfish-9000") && !redactor.finds("swordfish"));
        assert!(Redactor::new(["a"]).is_blind());
    }

    #[test]
    fn what_each_encoder_writes_is_found() {
        let redactor = Redactor::new(["Se-cr~et*K/y 1"]);
        for said in [
            "Se%2Dcr%7Eet%2AK%2Fy%201",
            "Se-cr~et*K/y%201",
            "Se-cr~et%2AK%2Fy%201",
            "Se-cr~et%2AK/y%201",
            "Se-cr~et*K%2Fy%201",
            "Se-cr%7Eet*K%2Fy+1",
        ] {
            assert!(redactor.finds(said), "{said}");
        }
    }
}
