//! Decompresses a payload, whichever way it says it is compressed.

use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};

use super::MESSAGE_BYTES_MAX;

/// The payload in plain. What does not decompress, or to more than a message may have, comes as far as it went.
pub(super) async fn inflate(payload: Vec<u8>) -> Vec<u8> {
    if !is_gzip(&payload) && !is_zlib(&payload) {
        return payload;
    }
    // A few kilobytes may become a megabyte, which takes its time.
    tokio::task::spawn_blocking(move || inflated(&payload)).await.unwrap_or_default()
}

fn inflated(payload: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let limit = MESSAGE_BYTES_MAX as u64;
    let read = if is_gzip(payload) {
        MultiGzDecoder::new(payload).take(limit).read_to_end(&mut plain)
    } else {
        ZlibDecoder::new(payload).take(limit).read_to_end(&mut plain)
    };
    match read {
        Ok(_count) => plain,
        // Not compressed at all, or damaged: what there is says more than nothing.
        Err(_damaged) if plain.is_empty() => payload.to_vec(),
        Err(_damaged) => plain,
    }
}

/// RFC 1952, 2.3.1.
fn is_gzip(payload: &[u8]) -> bool {
    payload.starts_with(&[0x1f, 0x8b])
}

/// RFC 1950, 2.2: deflate, and a check of the two bytes.
fn is_zlib(payload: &[u8]) -> bool {
    matches!(payload, [method, flags, ..] if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    fn zlib(plain: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[tokio::test]
    async fn gzip_zlib_and_plain_text_are_told_apart() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(b"{}").unwrap();
        for payload in [gzip.finish().unwrap(), zlib(b"{}"), b"{}".to_vec()] {
            assert_eq!(inflate(payload).await, b"{}");
        }
    }

    #[tokio::test]
    async fn a_bomb_is_cut_and_damage_is_kept_as_it_is() {
        assert_eq!(inflate(zlib(&vec![b' '; 50 << 20])).await.len(), MESSAGE_BYTES_MAX);
        assert_eq!(inflate(vec![0x1f, 0x8b, 9, 9]).await, [0x1f, 0x8b, 9, 9]);
    }
}
