use super::*;
use crate::profile::{
    Measured, Outcome, Output, Program, ProgramKind, Reporting, RunInfo, Seconds, Status, Witness,
};

fn profile(length: usize, output_bytes: usize) -> Profile {
    let stdout = Output { head: "x".repeat(output_bytes), ..Output::default() };
    Profile {
        id: ProfileId::draw(|candidate| candidate.len() < length),
        program: Program { kind: ProgramKind::Script, name: "a.py".into(), args: Vec::new() },
        run: RunInfo {
            status: Status::Complete,
            outcome: Outcome::ExitCode(0),
            started_at: None,
            imported_from: None,
            parameters: serde_json::Map::new(),
            cwd: "/p".into(),
            project_root: "/p".into(),
            environment: None,
            stdout,
            stderr: Output::default(),
            peak_resident_bytes: None,
            resident: Vec::new(),
            process_cpu: None,
            warnings: Vec::new(),
            errors: Vec::new(),
        },
        measured: Measured {
            cpu: true,
            memory: false,
            gpu: None,
            peaks_per_visit: true,
            part_of_time: false,
            leak_detector: true,
            virtual_time: false,
            sampling_interval: Seconds::from_secs(0.01),
        },
        reporting: Reporting { cpu_percent_threshold: 1.0, malloc_threshold: 100, reduced: false },
        elapsed: Seconds::from_secs(1.0),
        files: Vec::new(),
        footprint: None,
        call_paths: Vec::new(),
        calls: None,
        proof: None,
        call_counts: None,
        floor: None,
        per_call: None,
        timed_by: Witness::Scalene,
        repeats: None,
        blocks: None,
        raw: None,
        covered: None,
        tests: None,
    }
}

fn fill(store: &Store, count: usize) -> Vec<String> {
    (0..count).map(|_| store.insert(profile(9, 0)).id.to_string()).collect()
}

#[test]
fn a_profile_is_replaced_in_its_place() {
    let store = Store::default();
    let ids = fill(&store, 2);
    let first =
        Profile { elapsed: Seconds::from_secs(7.0), ..(*store.get(&ids[0]).unwrap()).clone() };
    store.replace(first);
    assert_eq!(store.get("previous").unwrap().elapsed, Seconds::from_secs(7.0));
    assert_eq!(store.get("latest").unwrap().id.to_string(), ids[1]);
    let gone = Store::default();
    gone.replace((*store.get("latest").unwrap()).clone());
    assert_eq!(gone.list().0.len(), 0, "one that was dropped meanwhile stays so");
}

#[test]
fn a_profile_from_before_there_were_blocks_is_read() {
    let new = profile(9, 0);
    let mut old = serde_json::to_value(&new).unwrap();
    assert!(old.as_object_mut().unwrap().remove("blocks").is_some());
    assert_eq!(serde_json::from_value::<Profile>(old).unwrap(), new);
}

#[test]
fn listeners_hear_of_each_change() {
    let store = Store::default();
    fill(&store, 1);
    let mut changes = store.changes();
    let id = store.insert(profile(9, 0)).id.clone();
    let stored = store.get("latest").unwrap();
    store.replace((*stored).clone());
    store.replace(Profile { id: ProfileId::draw(|_| false), ..(*stored).clone() });
    store.get("previous").unwrap();
    let mut heard = Vec::new();
    while let Ok(change) = changes.try_recv() {
        heard.push(change);
    }
    assert_eq!(heard, [Change::Added(id.clone()), Change::Altered(id)]);
}

#[test]
fn a_name_is_resolved_without_its_profile() {
    let store = Store::default();
    let ids = fill(&store, 2);
    assert_eq!(store.id_of("latest").as_ref(), Ok(&ids[1]));
    assert_eq!(store.id_of(&format!(" {} ", ids[0])).as_ref(), Ok(&ids[0]));
    assert!(matches!(store.id_of("zzz"), Err(LookupError::Unknown { .. })));
}

#[test]
fn names_of_all_kinds_find_their_profile() {
    let store = Store::default();
    let ids = fill(&store, 3);
    let id = |name: &str| store.get(name).unwrap().id.to_string();
    assert_eq!(
        [id("latest"), id("previous"), id(&ids[0])],
        [ids[2].clone(), ids[1].clone(), ids[0].clone()]
    );
    let unique = (1..=ids[0].len())
        .map(|length| &ids[0][..length])
        .find(|prefix| ids.iter().filter(|id| id.starts_with(*prefix)).count() == 1)
        .unwrap();
    assert_eq!(id(unique), ids[0]);
}

#[test]
fn an_unknown_name_lists_known_ones() {
    let store = Store::default();
    assert_eq!(store.get("latest"), Err(LookupError::NothingStored("latest".into())));
    let ids = fill(&store, 7);
    let newest: Vec<_> = ids.iter().rev().take(5).cloned().collect();
    let expected = LookupError::Unknown { wanted: "zzz".into(), known: newest };
    assert_eq!(store.get("zzz"), Err(expected));
    assert!(
        matches!(store.get("p"), Err(LookupError::Ambiguous { matches, .. }) if matches.len() == 5)
    );
}

#[test]
fn the_least_recently_used_goes_first() {
    let store = Store::new(Bounds { profiles: 3, bytes: usize::MAX });
    let ids = fill(&store, 3);
    store.get(&ids[0]).unwrap();
    fill(&store, 1);
    let gone = store.get(&ids[1]).unwrap_err();
    assert!(matches!(gone, LookupError::Dropped { .. }), "{gone}");
    assert!(store.get(&ids[0]).is_ok() && store.get(&ids[2]).is_ok());
}

#[test]
fn bytes_are_bounded_but_the_newest_stays() {
    let store = Store::new(Bounds { profiles: 100, bytes: 1 << 20 });
    for _ in 0..10 {
        store.insert(profile(9, 300_000));
    }
    assert_eq!(store.list().0.len(), 3);
    let big = store.insert(profile(9, 5 << 20)).id.to_string();
    let left: Vec<_> = store.list().0.iter().map(|p| p.id.to_string()).collect();
    assert_eq!(left, [big]);
}

#[test]
fn a_panic_while_it_is_locked_loses_nothing() {
    let store = std::sync::Arc::new(Store::default());
    let ids = fill(&store, 2);
    let held = std::sync::Arc::clone(&store);
    let panicked = std::thread::spawn(move || {
        let _inner = held.lock();
        panic!("with the lock");
    });
    assert!(panicked.join().is_err() && store.inner.is_poisoned());
    assert_eq!(store.get("latest").unwrap().id.to_string(), ids[1]);
    assert_eq!(fill(&store, 1).len() + store.list().0.len(), 4);
}
