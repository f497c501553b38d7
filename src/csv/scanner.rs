//! Finds the structure of CSV text: 64 bytes at a time become bit masks, quoted regions come from a carry-less
//! multiply (or a prefix xor), and the delimiters and line ends outside quotes come out as positions.
//! Judges quoting on the way. Never allocates per record, never looks at what a field says.
#![expect(
    unsafe_code,
    reason = "vector instructions of the processor, found at run time, with a safe fallback"
)]

use super::Dialect;
use super::structure::{Structure, Tally};

/// Bytes looked at in one step.
pub(super) const BLOCK: usize = 64;

/// Which instructions do the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Level {
    /// The best this processor has.
    pub(super) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
        {
            return Self::Avx2;
        }
        Self::Portable
    }
}

/// Which positions are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The end of every field.
    Fields,
    /// The end of every record.
    Records,
}

/// Where in the text stand the bytes that matter; bit n is byte n of the block.
#[derive(Debug, Clone, Copy)]
struct Masks {
    enclosures: u64,
    delimiters: u64,
    newlines: u64,
    carriage_returns: u64,
}

/// What one block leaves to the next.
#[derive(Debug, Clone, Copy)]
struct State {
    /// All ones inside quotes, else 0.
    quoted: u64,
    /// 1 when a quote may open at the next byte.
    after_boundary: u64,
    /// 1 when the last byte closed a quote.
    after_close: u64,
}

/// Finds the structure of a text that comes in stretches of blocks.
#[derive(Debug, Clone)]
pub(super) struct Scanner {
    dialect: Dialect,
    level: Level,
    wanted: Wanted,
    state: State,
}

impl Scanner {
    pub(super) fn new(dialect: Dialect, wanted: Wanted, level: Level) -> Self {
        Self { dialect, level, wanted, state: State { quoted: 0, after_boundary: 1, after_close: 0 } }
    }

    pub(super) fn wanted(&self) -> Wanted {
        self.wanted
    }

    pub(super) fn is_quoted(&self) -> bool {
        self.state.quoted != 0
    }

    /// Looks at whole blocks; `base` is the position of the first one.
    pub(super) fn scan(&mut self, blocks: &[[u8; BLOCK]], base: u32, found: &mut Structure) {
        match self.level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => {
                // SAFETY: `Level::Avx2` exists only after `Level::detect` saw every feature that the function enables.
                unsafe { self.scan_avx2(blocks, base, found) }
            }
            Level::Portable => {
                let masks = |block: &_| portable::masks(block, self.dialect);
                self.state = self.scan_with(blocks, base, found, masks, portable::prefix_xor);
            }
        }
    }

    /// Looks at the last bytes of a file, fewer than a block.
    pub(super) fn scan_tail(&mut self, tail: &[u8], base: u32, found: &mut Structure) {
        let mut block = [0; BLOCK];
        if let Some(head) = block.get_mut(..tail.len()) {
            head.copy_from_slice(tail);
        }
        let masks = portable::masks(&block, self.dialect);
        // A quote may close with the last byte of the file: the byte that is not there is no text after it.
        let beyond = u64::MAX.checked_shl(u32::try_from(tail.len()).unwrap_or(u32::MAX)).unwrap_or(0);
        let (ends, tally) =
            self.state.digest(masks, portable::prefix_xor(masks.enclosures), beyond, self.wanted);
        found.tally.add(tally);
        found.extend(base, ends);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    fn scan_avx2(&mut self, blocks: &[[u8; BLOCK]], base: u32, found: &mut Structure) {
        let needles = avx2::Needles::new(self.dialect);
        self.state =
            self.scan_with(blocks, base, found, |block| needles.masks(block), |bits| avx2::prefix_xor(bits));
    }

    /// The loop over blocks, with state and counts in registers.
    #[expect(clippy::inline_always, reason = "must take on the instructions that its caller may use")]
    #[inline(always)]
    fn scan_with(
        &self,
        blocks: &[[u8; BLOCK]],
        base: u32,
        found: &mut Structure,
        masks: impl Fn(&[u8; BLOCK]) -> Masks,
        prefix_xor: impl Fn(u64) -> u64,
    ) -> State {
        let mut state = self.state;
        let mut tally = Tally::default();
        let mut at = base;
        for block in blocks {
            let masks = masks(block);
            let (ends, block_tally) = state.digest(masks, prefix_xor(masks.enclosures), 0, self.wanted);
            tally.add(block_tally);
            found.extend(at, ends);
            at += 64;
        }
        found.tally.add(tally);
        state
    }
}

impl State {
    /// One block: `inside` has a bit for every byte from an opening quote up to before the closing one, as if the
    /// block began outside quotes; `beyond` has one for every byte that is only padding. Returns the wanted ends.
    #[expect(clippy::inline_always, reason = "must take on the instructions that its caller may use")]
    #[inline(always)]
    fn digest(&mut self, masks: Masks, inside: u64, beyond: u64, wanted: Wanted) -> (u64, Tally) {
        let quoted = inside ^ self.quoted;
        self.quoted = 0_u64.wrapping_sub(quoted >> 63);
        let newlines = masks.newlines & !quoted;
        let structural = (masks.delimiters & !quoted) | newlines;
        let returns = masks.carriage_returns & !quoted;

        // An opening quote follows a field's end or (doubled) a closing quote; a closing one is followed by either,
        // or by the carriage return of a line end.
        let boundary = structural | masks.enclosures;
        let may_open = boundary << 1 | self.after_boundary;
        let closing = masks.enclosures & !quoted;
        let closed = closing << 1 | self.after_close;
        self.after_boundary = boundary >> 63;
        self.after_close = closing >> 63;
        let misplaced = (masks.enclosures & quoted & !may_open) | (closed & !(boundary | returns | beyond));

        let ends = match wanted {
            Wanted::Fields => structural,
            Wanted::Records => newlines,
        };
        let records = u64::from(newlines.count_ones());
        (ends, Tally { records, lines: u64::from(masks.newlines.count_ones()), returns, misplaced })
    }
}

/// The same answers without vector instructions: eight bytes at a time in a word.
mod portable {
    use super::{BLOCK, Dialect, Masks};

    pub(super) fn masks(block: &[u8; BLOCK], dialect: Dialect) -> Masks {
        Masks {
            enclosures: equal(block, dialect.enclosure),
            delimiters: equal(block, dialect.delimiter),
            newlines: equal(block, b'\n'),
            carriage_returns: equal(block, b'\r'),
        }
    }

    fn equal(block: &[u8; BLOCK], needle: u8) -> u64 {
        const LOW: u64 = 0x0101_0101_0101_0101;
        const SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;
        // Multiplying by this gathers the lowest bits of the eight bytes in the highest byte, in order.
        const GATHER: u64 = 0x0102_0408_1020_4080;
        let (words, _) = block.as_chunks::<8>();
        words.iter().rev().fold(0, |mask, word| {
            let difference = u64::from_le_bytes(*word) ^ (LOW * u64::from(needle));
            // The high bit of each byte that is zero, exactly: no carry leaves a byte.
            let zero = !(((difference & SEVEN) + SEVEN) | difference | SEVEN);
            mask << 8 | (zero >> 7).wrapping_mul(GATHER) >> 56
        })
    }

    pub(super) fn prefix_xor(mut bits: u64) -> u64 {
        for shift in [1, 2, 4, 8, 16, 32] {
            bits ^= bits << shift;
        }
        bits
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8, _mm256_cmpeq_epi8,
        _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8,
    };

    use super::{BLOCK, Dialect, Masks};

    /// The bytes looked for, one in each lane.
    pub(super) struct Needles {
        enclosure: __m256i,
        delimiter: __m256i,
        newline: __m256i,
        carriage_return: __m256i,
    }

    impl Needles {
        #[target_feature(enable = "avx2")]
        pub(super) fn new(dialect: Dialect) -> Self {
            Self {
                enclosure: _mm256_set1_epi8(dialect.enclosure.cast_signed()),
                delimiter: _mm256_set1_epi8(dialect.delimiter.cast_signed()),
                newline: _mm256_set1_epi8(b'\n'.cast_signed()),
                carriage_return: _mm256_set1_epi8(b'\r'.cast_signed()),
            }
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        pub(super) fn masks(&self, block: &[u8; BLOCK]) -> Masks {
            let (halves, _) = block.as_chunks::<32>();
            let [low, high] = halves else { unreachable!("64 bytes are twice 32") };
            // SAFETY: each pointer comes from a reference to 32 readable bytes, and the load asks for no alignment.
            let (low, high) = unsafe {
                (_mm256_loadu_si256(low.as_ptr().cast()), _mm256_loadu_si256(high.as_ptr().cast()))
            };
            Masks {
                enclosures: equal(low, high, self.enclosure),
                delimiters: equal(low, high, self.delimiter),
                newlines: equal(low, high, self.newline),
                carriage_returns: equal(low, high, self.carriage_return),
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal(low: __m256i, high: __m256i, needle: __m256i) -> u64 {
        let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, needle)).cast_unsigned();
        let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, needle)).cast_unsigned();
        u64::from(high) << 32 | u64::from(low)
    }

    /// Multiplying by all ones without carries makes bit n the parity of the bits up to n.
    #[inline]
    #[target_feature(enable = "sse2,pclmulqdq")]
    pub(super) fn prefix_xor(bits: u64) -> u64 {
        let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits.cast_signed()), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product).cast_unsigned()
    }
}
