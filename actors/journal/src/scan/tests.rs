//! A segment image in memory, and what tears, lost sectors and flipped bits do to it.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::batch::BatchBuilder;
use crate::draft::Draft;
use crate::entry::Template;

const PAGES: u32 = 24;
const SALT: [u8; 16] = *b"a salt of no kin";

/// A whole segment and where its batches lie.
struct Image {
    bytes: Vec<u8>,
    header: SegmentHeader,
    /// First byte and first byte behind, per batch.
    extents: Vec<(usize, usize)>,
    counts: Vec<usize>,
}

fn template(attachment: &[u8]) -> Template {
    let draft = Draft {
        event: "a.b".into(),
        event_version: 1,
        actor: "system".into(),
        timestamp_ms: 1,
        alert_id: None,
        action: None,
        payload: json!({}),
        attachments: vec![attachment.to_vec(), attachment.to_vec()],
    };
    Template::new("acme", draft).unwrap()
}

/// Lays batches of so many entries, with attachments of so many zeros: the worst for the rule that
/// no sector is all zero.
fn image(batches: &[(usize, usize)]) -> Image {
    let header = SegmentHeader {
        id: 3,
        prev: 0,
        first: 11,
        pages: PAGES,
        salt: SALT,
    };
    let seed = Seed::new(&SALT);
    let mut bytes = vec![0; index(PAGE)];
    let (mut extents, mut counts, mut builder) = (Vec::new(), Vec::new(), BatchBuilder::new());
    let (mut seq, mut previous) = (0, [0; 32]);
    for (number, (count, zeros)) in (header.first..).zip(batches) {
        let entry = template(&vec![0; *zeros]);
        let headers: Vec<_> = (seq..)
            .take(*count)
            .map(|seq| {
                FrameHeader::new("acme", seq, number, entry.line_len(seq))
                    .with_attachments(&entry.attachments)
            })
            .collect();
        builder.begin(number);
        for header in &headers {
            builder.announce(&ManifestItem::of(header));
        }
        let out = builder.frames(&seed);
        for header in &headers {
            let frame = header.begin(&seed, out);
            previous = entry.write_line(header.seq, &previous, frame.out);
            for stored in &entry.attachments {
                frame.out.extend_from_slice(&stored.bytes);
            }
            frame.finish();
        }
        seq += wide(*count);
        let batch = builder.finish(&SALT);
        if bytes.len() + batch.len() > index(u64::from(PAGES - 1) * PAGE) {
            break;
        }
        extents.push((bytes.len(), bytes.len() + batch.len()));
        counts.push(*count);
        bytes.extend_from_slice(batch);
    }
    bytes.resize(index(u64::from(PAGES) * PAGE), 0);
    Image {
        bytes,
        header,
        extents,
        counts,
    }
}

impl Image {
    fn scan(&self) -> Scan<'_> {
        scan(&self.bytes, &self.header, Bounds::default())
    }

    fn entries(&self) -> usize {
        self.counts.iter().sum()
    }
}

fn good_frames(scan: &Scan<'_>) -> usize {
    scan.batches.iter().map(|batch| batch.frames.len()).sum()
}

fn batches() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0_usize..12, 0_usize..3000), 1..7)
}

proptest! {
    #[test]
    fn what_was_written_is_read(batches in batches()) {
        let image = image(&batches);
        let found = image.scan();
        prop_assert!(!found.cut && !found.damaged);
        prop_assert_eq!(good_frames(&found), image.entries());
        prop_assert_eq!(found.next, 11 + wide(image.extents.len()));
    }

    #[test]
    fn no_sector_of_a_batch_is_all_zero(batches in batches()) {
        let image = image(&batches);
        for (start, end) in &image.extents {
            prop_assert!(image.bytes[*start..*end].chunks(SECTOR).all(|sector| !is_zero(sector)));
        }
    }

    #[test]
    fn a_torn_last_batch_is_cut_and_nothing_else(batches in batches(), kept in any::<u64>()) {
        let mut image = image(&batches);
        let Some((start, end)) = image.extents.last().copied() else { return Ok(()) };
        let mut torn = false;
        for (position, at) in (start..end).step_by(SECTOR).enumerate() {
            if kept >> (position % 64) & 1 == 0 {
                image.bytes[at..at + SECTOR].fill(0);
                torn = true;
            }
        }
        let found = image.scan();
        prop_assert!(!found.damaged && (torn || !found.cut));
        // One of whose frames none is torn is taken, one without anything is not seen.
        let gone = found.next < 11 + wide(image.extents.len());
        let lost = if gone { *image.counts.last().unwrap() } else { 0 };
        prop_assert_eq!(good_frames(&found), image.entries() - lost);
        prop_assert!(torn || !gone);
    }

    #[test]
    fn a_short_write_leaves_a_batch_whole_or_none_of_it(batches in batches(), kept in any::<prop::sample::Index>()) {
        let mut image = image(&batches);
        let Some((start, end)) = image.extents.last().copied() else { return Ok(()) };
        let kept = kept.index(end - start);
        image.bytes[start + kept..end].fill(0);
        let found = image.scan();
        prop_assert!(!found.damaged);
        // Only padding and trailer may be missing from a batch that is taken.
        let lost = if found.cut || kept == 0 { *image.counts.last().unwrap() } else { 0 };
        prop_assert_eq!(good_frames(&found), image.entries() - lost);
    }

    #[test]
    fn a_flipped_bit_is_never_cut_silently(
        batches in batches(),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let mut image = image(&batches);
        let end = image.extents.last().map_or(0, |extent| extent.1);
        let at = index(PAGE) + at.index(end - index(PAGE));
        image.bytes[at] ^= 1 << bit;
        let found = image.scan();
        let missing = image.entries() - good_frames(&found);
        prop_assert!(!found.cut);
        prop_assert!(missing == 0 || !found.unknown.is_empty() || found.lost.len() == missing);
    }

    #[test]
    fn a_lost_sector_before_the_last_batch_is_damage(
        batches in prop::collection::vec((1_usize..12, 0_usize..3000), 2..7),
        at in any::<prop::sample::Index>(),
    ) {
        let mut image = image(&batches);
        prop_assume!(image.extents.len() > 1);
        let last = image.extents.last().unwrap().0;
        let sectors = (last - index(PAGE)) / SECTOR;
        let at = index(PAGE) + at.index(sectors) * SECTOR;
        image.bytes[at..at + SECTOR].fill(0);
        let found = image.scan();
        let missing = image.entries() - good_frames(&found);
        prop_assert!(!found.cut);
        prop_assert!(missing == 0 || !found.unknown.is_empty() || found.lost.len() == missing);
        prop_assert_eq!(found.next, 11 + wide(image.extents.len()));
    }

    #[test]
    fn any_bytes_are_scanned_without_a_panic(
        batches in batches(),
        noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..200),
        len in any::<prop::sample::Index>(),
        copied in 0_u64..20,
        limit in prop::option::of(0_u64..20),
    ) {
        let mut image = image(&batches);
        for (at, byte) in noise {
            let at = at.index(image.bytes.len());
            image.bytes[at] = byte;
        }
        image.bytes.truncate(len.index(image.bytes.len()));
        let found = scan(&image.bytes, &image.header, Bounds { limit, copied });
        prop_assert!(found.next >= image.header.first);
    }
}

#[test]
fn the_copied_mark_turns_a_missing_batch_into_damage() {
    let mut image = image(&[(2, 10), (2, 10)]);
    let (start, end) = image.extents[1];
    image.bytes[start..end].fill(0);
    let found = scan(
        &image.bytes,
        &image.header,
        Bounds {
            limit: None,
            copied: 12,
        },
    );
    assert!(found.damaged && !found.cut);
    // What became zeros may not have been the last.
    assert_eq!((found.unknown, found.next), (vec![13], 14));
}

/// An image of six batches of a page each: 11 to 16.
fn six() -> Image {
    let image = image(&[(1, 10); 6]);
    assert!(
        image
            .extents
            .iter()
            .all(|(start, end)| end - start == index(PAGE))
    );
    image
}

fn lost_with(bytes: &[u8], header: &SegmentHeader, bounds: Bounds) -> (Vec<u64>, u64) {
    let found = scan(bytes, header, bounds);
    assert!(found.damaged && !found.cut);
    (found.unknown, found.next)
}

#[test]
fn a_run_of_lost_batches_counts_by_its_last_one() {
    let mut image = six();
    let copied = |copied| Bounds {
        limit: None,
        copied,
    };
    let run = image.extents[1].0..image.extents[3].1;
    image.bytes[run].fill(0xff);
    // 12 to 14 are lost; 15 and 16 are there.
    let (bytes, header) = (&image.bytes, &image.header);
    for mark in [11, 12, 13, 14] {
        assert_eq!(lost_with(bytes, header, copied(mark)), (vec![14], 17));
    }
}

#[test]
fn a_lost_run_without_an_end_may_reach_beyond_what_was_copied() {
    let mut image = six();
    let run = image.extents[2].0..image.extents[5].1;
    image.bytes[run].fill(0xff);
    let (bytes, header) = (&image.bytes, &image.header);
    let bounds = |limit, copied| Bounds { limit, copied };
    // Among the lost ones are 13 to 16, but only the mark says so.
    assert_eq!(lost_with(bytes, header, bounds(None, 12)), (vec![13], 14));
    assert_eq!(lost_with(bytes, header, bounds(None, 13)), (vec![14], 15));
    assert_eq!(lost_with(bytes, header, bounds(None, 15)), (vec![16], 17));
    assert_eq!(
        lost_with(bytes, header, bounds(Some(16), 0)),
        (vec![16], 17)
    );
    let shortened = &bytes[..image.extents[2].0];
    assert_eq!(
        lost_with(shortened, header, bounds(None, 14)),
        (vec![15], 16)
    );
}

#[test]
fn the_last_copied_batch_alone_is_lost_if_nothing_was_written_behind_it() {
    let mut image = six();
    let (start, end) = image.extents[5];
    image.bytes[start..end].fill(0xff);
    let bounds = Bounds {
        limit: None,
        copied: 16,
    };
    let lost = lost_with(&image.bytes, &image.header, bounds);
    assert_eq!(lost, (vec![16], 17));
}

#[test]
fn a_file_that_became_shorter_is_damage() {
    let mut image = image(&[(2, 10), (2, 10)]);
    image.bytes.truncate(image.extents[1].0);
    let found = image.scan();
    assert!(found.damaged && !found.cut);
    assert_eq!(found.unknown, vec![12]);
}
