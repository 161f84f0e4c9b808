//! Bounded capture of a stream: its beginning, its end, and how much fell between.

use std::collections::VecDeque;
use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes kept from the beginning of a stream.
const HEAD_BYTES: usize = 8 * 1024;
/// Bytes kept from the end of a stream.
const TAIL_BYTES: usize = 24 * 1024;
/// Size of one read; larger than a Linux pipe page, small beside the budget.
const CHUNK_BYTES: usize = 32 * 1024;

/// What was kept of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// The first bytes, as lossy UTF-8. The whole stream when nothing was left out.
    pub head: String,
    /// The last bytes, as lossy UTF-8; empty when `head` holds everything.
    pub tail: String,
    /// Bytes between head and tail that were read and dropped.
    pub omitted_bytes: u64,
    /// All bytes the program wrote.
    pub total_bytes: u64,
}

impl Captured {
    /// The last kept part of the stream: the tail, or the head when it holds everything.
    pub fn end(&self) -> &str {
        if self.tail.is_empty() { &self.head } else { &self.tail }
    }
}

/// A stream from its beginning, as it is, with a digest of all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// The first bytes.
    pub bytes: Vec<u8>,
    /// All bytes the program wrote.
    pub total_bytes: u64,
    /// Digest of all bytes; equal only within this process.
    pub digest: u64,
}

impl Whole {
    /// A text that is all there.
    pub fn of(bytes: Vec<u8>) -> Self {
        let mut digest = KEYS.build_hasher();
        digest.write(&bytes);
        Self { total_bytes: bytes.len() as u64, digest: digest.finish(), bytes }
    }

    /// Whether nothing was left out.
    pub fn is_complete(&self) -> bool {
        self.bytes.len() as u64 == self.total_bytes
    }
}

/// Keys of digests: drawn anew in each process, so that no output is made to collide.
static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Keeps a [`Whole`].
#[derive(Debug)]
struct Keeping {
    bytes: Vec<u8>,
    most: usize,
    digest: DefaultHasher,
}

/// A text that somebody waits for.
#[derive(Debug)]
struct Sought {
    text: Vec<u8>,
    /// The end of what has come, in which it may have begun.
    before: Vec<u8>,
    found: bool,
}

impl Sought {
    fn look(&mut self, bytes: &[u8]) {
        if self.found {
            return;
        }
        self.before.extend_from_slice(bytes);
        self.found = memchr::memmem::find(&self.before, &self.text).is_some();
        let kept = self.text.len().saturating_sub(1).min(self.before.len());
        self.before.drain(..self.before.len() - kept);
    }
}

/// Collects a stream while it is read.
#[derive(Debug, Default)]
pub(super) struct Collector {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
    whole: Option<Keeping>,
    sought: Option<Sought>,
}

impl Collector {
    /// Looks for a text in all that comes from now on.
    pub(super) fn seek(&mut self, text: &str) {
        let text = text.as_bytes().to_vec();
        self.sought = Some(Sought { text, before: Vec::new(), found: false });
    }

    fn push(&mut self, bytes: &[u8]) {
        if let Some(sought) = &mut self.sought {
            sought.look(bytes);
        }
        self.total = self.total.saturating_add(bytes.len() as u64);
        if let Some(whole) = &mut self.whole {
            let room = whole.most.saturating_sub(whole.bytes.len()).min(bytes.len());
            whole.bytes.extend_from_slice(bytes.get(..room).unwrap_or_default());
            whole.digest.write(bytes);
        }
        let room = HEAD_BYTES.saturating_sub(self.head.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        self.head.extend_from_slice(first);
        let rest = rest.get(rest.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default();
        let excess = (self.tail.len() + rest.len()).saturating_sub(TAIL_BYTES);
        self.tail.drain(..excess);
        self.tail.extend(rest);
    }

    /// What was kept whole, if it was asked for.
    pub(super) fn take_whole(&mut self) -> Option<Whole> {
        let whole = self.whole.take()?;
        Some(Whole { bytes: whole.bytes, total_bytes: self.total, digest: whole.digest.finish() })
    }

    pub(super) fn finish(&self) -> Captured {
        let (tail_a, tail_b) = self.tail.as_slices();
        let mut head = self.head.clone();
        let mut tail = [tail_a, tail_b].concat();
        let omitted_bytes = self.total - head.len() as u64 - tail.len() as u64;
        if omitted_bytes == 0 {
            head.append(&mut tail);
        } else {
            // The cut falls anywhere in a character: drop the broken ends.
            while tail.first().is_some_and(|byte| byte & 0xC0 == 0x80) {
                tail.remove(0);
            }
            if let Err(error) = std::str::from_utf8(&head)
                && error.error_len().is_none()
            {
                head.truncate(error.valid_up_to());
            }
        }
        Captured {
            omitted_bytes: self.total - head.len() as u64 - tail.len() as u64,
            head: String::from_utf8_lossy(&head).into_owned(),
            tail: String::from_utf8_lossy(&tail).into_owned(),
            total_bytes: self.total,
        }
    }
}

/// A collector shared with the task that reads, so that what was read is kept
/// even when the stream never ends (a grandchild may hold the pipe open).
pub(super) type Shared = Arc<Mutex<Collector>>;

/// A collector that keeps this many bytes whole as well.
pub(super) fn keeping(most: usize) -> Shared {
    let keeping = || Keeping { bytes: Vec::new(), most, digest: KEYS.build_hasher() };
    let whole = (most > 0).then(keeping);
    Arc::new(Mutex::new(Collector { whole, ..Collector::default() }))
}

pub(super) fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, Collector> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a child that is running has written until now.
#[derive(Debug, Clone, Default)]
pub struct Written(Arc<Mutex<Option<[Shared; 2]>>>);

impl Written {
    /// Stdout and stderr so far; `None` while no child runs.
    pub fn captured(&self) -> Option<[Captured; 2]> {
        let streams = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        streams.map(|streams| streams.map(|stream| lock(&stream).finish()))
    }

    /// Whether [`super::Spec::sought`] has been written by the child that runs.
    pub fn found(&self) -> bool {
        let streams = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found = |stream: &Shared| lock(stream).sought.as_ref().is_some_and(|one| one.found);
        streams.is_some_and(|streams| streams.iter().any(found))
    }

    pub(super) fn set(&self, streams: Option<[Shared; 2]>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = streams;
    }
}

/// Reads `stream` to its end into `shared`.
pub(super) async fn drain(mut stream: impl AsyncRead + Unpin, shared: Shared) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        lock(&shared).push(chunk.get(..read).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn captured(chunks: &[Vec<u8>]) -> Captured {
        let mut collector = Collector::default();
        for chunk in chunks {
            collector.push(chunk);
        }
        collector.finish()
    }

    #[test]
    fn a_stream_kept_whole_is_cut_at_its_end_and_its_digest_is_of_all() {
        let whole = |chunks: &[&[u8]]| {
            let shared = keeping(4);
            for chunk in chunks {
                lock(&shared).push(chunk);
            }
            lock(&shared).take_whole().unwrap()
        };
        let (one, other) = (whole(&[b"abcdef"]), whole(&[b"abc", b"def"]));
        assert_eq!((one.bytes.as_slice(), one.total_bytes), (&b"abcd"[..], 6));
        assert_eq!(one, other);
        assert!(!one.is_complete() && whole(&[b"abcd"]).is_complete());
        assert_ne!(one.digest, whole(&[b"abcdeg"]).digest);
    }

    #[test]
    fn a_text_is_found_wherever_chunks_end() {
        let found = |chunks: &[&[u8]]| {
            let mut collector = Collector::default();
            collector.seek("on port 8000");
            for chunk in chunks {
                collector.push(chunk);
            }
            collector.sought.is_some_and(|sought| sought.found)
        };
        assert!(found(&[b"Listening on po", b"r", b"t 8000\n", b"more"]));
        assert!(found(&[b"on on port 8000"]));
        assert!(!found(&[b"on port 800", b" 0"]));
    }

    #[test]
    fn a_short_stream_is_kept_whole() {
        let kept = captured(&[b"one\n".to_vec(), b"two\n".to_vec()]);
        assert_eq!((kept.head.as_str(), kept.tail.as_str()), ("one\ntwo\n", ""));
        assert_eq!((kept.omitted_bytes, kept.total_bytes), (0, 8));
    }

    #[test]
    fn a_long_stream_keeps_both_ends() {
        let kept = captured(&[vec![b'a'; 50_000], vec![b'b'; 50_000], b"end".to_vec()]);
        assert!(kept.head.chars().all(|c| c == 'a'));
        assert!(kept.tail.ends_with("bbbend"));
        assert_eq!(kept.omitted_bytes, 100_003 - (HEAD_BYTES + TAIL_BYTES) as u64);
    }

    #[test]
    fn a_cut_inside_a_character_leaves_no_debris() {
        let kept = captured(&["é漢".repeat(20_000).into_bytes()]);
        assert!(!kept.head.contains('\u{FFFD}') && !kept.tail.contains('\u{FFFD}'));
    }

    proptest! {
        #[test]
        fn nothing_is_counted_twice_or_lost(
            chunks in prop::collection::vec(prop::collection::vec(b'a'..=b'z', 0..20_000), 0..8)
        ) {
            let all = chunks.concat();
            let kept = captured(&chunks);
            prop_assert_eq!(kept.total_bytes, all.len() as u64);
            let kept_bytes = (kept.head.len() + kept.tail.len()) as u64;
            prop_assert_eq!(kept_bytes + kept.omitted_bytes, all.len() as u64);
            let text = String::from_utf8(all).unwrap();
            prop_assert!(text.starts_with(&kept.head));
            prop_assert!(text.ends_with(kept.end()));
        }
    }
}
