use super::*;

const SMALL: Settings = Settings { segment: 256, keep: Duration::ZERO };

fn texts(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| String::from_utf8_lossy(&entry.bytes).into_owned()).collect()
}

fn segments(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|e| e == "segment")))
        .count()
}

#[tokio::test]
async fn what_was_appended_is_there_at_the_next_start_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, found) = Journal::open(folder.path(), "here", Settings::default()).expect("opens");
    assert!(found.is_empty());
    for number in 0..20 {
        let _unsettled = journal.append(format!("entry {number}").into_bytes()).await.expect("appends");
    }
    drop(journal);
    let (_, found) = Journal::open(folder.path(), "here", Settings::default()).expect("opens again");
    assert_eq!(texts(&found), (0..20).map(|number| format!("entry {number}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn entries_go_on_in_further_segments_and_too_large_ones_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, _) = Journal::open(folder.path(), "here", SMALL).expect("opens");
    for number in 0..10 {
        let _unsettled = journal.append(vec![number + 1; 100]).await.expect("appends");
    }
    assert!(matches!(journal.append(vec![1; 245]).await, Err(JournalError::TooLarge)));
    assert!(matches!(journal.append(Vec::new()).await, Err(JournalError::TooLarge)));
    let largest = journal.append(vec![9; 244]).await;
    assert!(largest.is_ok(), "as large as a segment");
    drop(journal);
    let (_, found) = Journal::open(folder.path(), "here", SMALL).expect("opens again");
    assert_eq!(
        found.iter().map(|entry| entry.bytes.len()).collect::<Vec<_>>(),
        [100; 10].into_iter().chain([244]).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_segment_goes_when_all_in_it_is_settled_and_stays_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, _) = Journal::open(folder.path(), "here", SMALL).expect("opens");
    let mut places = Vec::new();
    for _ in 0..6 {
        places.push(journal.append(vec![7; 100]).await.expect("appends"));
    }
    let kept = places.remove(0);
    for place in places {
        journal.settled(place);
    }
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(texts(&journal.entries().await.expect("reads")).len(), 2, "the first segment has an unsettled entry");
    journal.settled(kept);
    drop(journal);
    let (journal, found) = Journal::open(folder.path(), "here", SMALL).expect("opens again");
    assert_eq!(found.len(), 2);
    for entry in found {
        journal.settled(entry.place);
    }
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(segments(folder.path()), 2, "the active one and a spare");
}

#[tokio::test]
async fn a_torn_end_is_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, _) = Journal::open(folder.path(), "here", Settings::default()).expect("opens");
    for text in ["first", "second"] {
        let _unsettled = journal.append(text.as_bytes().to_vec()).await.expect("appends");
    }
    drop(journal);
    let path = std::fs::read_dir(folder.path()).expect("a folder").filter_map(Result::ok).map(|entry| entry.path());
    let path = path.filter(|path| path.extension().is_some_and(|e| e == "segment"));
    let path = path.min().expect("a segment");
    let mut bytes = std::fs::read(&path).expect("reads");
    let place = bytes.windows(6).position(|window| window == b"second").expect("the second entry");
    *bytes.get_mut(place + 3).expect("within") ^= 1;
    std::fs::write(&path, bytes).expect("writes");
    let (_, found) = Journal::open(folder.path(), "here", Settings::default()).expect("opens again");
    assert_eq!(texts(&found), ["first"]);
}

#[tokio::test]
async fn two_share_a_folder_and_the_next_takes_over_both() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, _) = Journal::open(folder.path(), "here", Settings::default()).expect("opens");
    let (two, found) = Journal::open(folder.path(), "there", Settings::default()).expect("opens beside it");
    assert!(found.is_empty(), "the first one is alive");
    let _unsettled = one.append(b"of one".to_vec()).await.expect("appends");
    let _unsettled = two.note(b"of two".to_vec()).await.expect("appends");
    drop(two);
    let (three, found) = Journal::open(folder.path(), "here", Settings::default()).expect("opens");
    assert_eq!(texts(&found), ["of two"]);
    drop((one, three));
    let (four, found) = Journal::open(folder.path(), "here", Settings::default()).expect("opens");
    assert!(four.covers("here") && four.covers("there") && !four.covers("elsewhere"));
    assert_eq!(four.name(), "here");
    let mut texts = texts(&found);
    texts.sort();
    assert_eq!(texts, ["of one", "of two"]);
}

#[tokio::test]
async fn many_at_once_are_all_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings { segment: 16 << 10, keep: Duration::from_secs(600) };
    let (journal, _) = Journal::open(folder.path(), "here", settings).expect("opens");
    let journal = Arc::new(journal);
    let appends = (0..500_u32).map(|number| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.append(vec![1; 50 + number as usize]).await.map(drop) })
    });
    for append in appends.collect::<Vec<_>>() {
        append.await.expect("no panic").expect("appends");
    }
    drop(journal);
    let (_, found) = Journal::open(folder.path(), "here", settings).expect("opens again");
    let mut lengths: Vec<usize> = found.iter().map(|entry| entry.bytes.len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, (50..550).collect::<Vec<_>>());
}

proptest::proptest! {
    #[test]
    fn any_bytes_decode_to_something(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let total: usize = segment::decode(&bytes).iter().map(|entry| entry.len() + segment::HEAD).sum();
        proptest::prop_assert!(total <= bytes.len());
    }

    #[test]
    fn what_is_encoded_decodes(entries in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 1..90), 0..9)) {
        let mut buffer = Vec::new();
        for entry in &entries {
            segment::encode(entry, &mut buffer).expect("an entry");
        }
        buffer.extend_from_slice(&[0; 40]);
        proptest::prop_assert_eq!(segment::decode(&buffer), entries);
    }
}
