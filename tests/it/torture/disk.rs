//! The simulated disk does what a disk may do, and nothing else.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use chancery::disk::{Disk, File, How, Space, create_directories, finish, read, write_in_place};
use chancery_tests::disk::{Errno, Fault, Kind, SimDisk, Survival, Walk};
use chancery_tests::seed;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn random() -> StdRng {
    StdRng::seed_from_u64(seed())
}

fn path(text: &str) -> &Path {
    Path::new(text)
}

fn create(disk: &SimDisk, name: &str, bytes: &[u8]) -> Arc<dyn File> {
    let file = disk.open(path(name), How::Create).unwrap();
    file.write_at(0, bytes).unwrap();
    file
}

fn synced(disk: &SimDisk, name: &str, bytes: &[u8]) -> Arc<dyn File> {
    let file = create(disk, name, bytes);
    file.sync().unwrap();
    disk.sync_directory(path("/")).unwrap();
    file
}

/// What many power losses leave of a file: none if it is not there.
fn left(disk: &SimDisk, name: &str, survival: Survival) -> BTreeSet<Option<Vec<u8>>> {
    let mut random = random();
    let mut walk = disk.recording().walk();
    while walk.advance() {}
    (0..300).map(|_| read(&walk.image(survival, &mut random), path(name)).ok()).collect()
}

#[test]
fn what_was_synced_survives_and_what_was_not_need_not() {
    let disk = SimDisk::new();
    let file = synced(&disk, "/file", &[1; 1024]);
    file.write_at(0, &[2; 1024]).unwrap();
    let (old, new) = (Some(vec![1; 1024]), Some(vec![2; 1024]));
    assert_eq!(left(&disk, "/file", Survival::Nothing), BTreeSet::from([old.clone()]));
    assert_eq!(left(&disk, "/file", Survival::Everything), BTreeSet::from([new.clone()]));
    let all_or_nothing = BTreeSet::from([old.clone(), new.clone()]);
    assert_eq!(left(&disk, "/file", Survival::Writes), all_or_nothing);
    let torn = [vec![1; 512], vec![2; 512]].concat();
    let torn_too = [vec![2; 512], vec![1; 512]].concat();
    let sectors = BTreeSet::from([old, new.clone(), Some(torn), Some(torn_too)]);
    assert_eq!(left(&disk, "/file", Survival::Sectors), sectors);
    assert_eq!(left(&disk, "/file", Survival::Mixed), sectors);
    file.sync().unwrap();
    for survival in Survival::ALL {
        assert_eq!(left(&disk, "/file", survival), BTreeSet::from([new.clone()]));
    }
}

#[test]
fn sectors_are_those_of_the_disk_and_not_of_the_write() {
    let disk = SimDisk::new();
    let file = synced(&disk, "/file", &[1; 1024]);
    file.write_at(500, &[2; 24]).unwrap();
    for bytes in left(&disk, "/file", Survival::Sectors).into_iter().flatten() {
        let written: Vec<usize> = (0..1024).filter(|index| bytes[*index] == 2).collect();
        let first: Vec<usize> = (500..512).collect();
        let second: Vec<usize> = (512..524).collect();
        let both: Vec<usize> = (500..524).collect();
        assert!(written.is_empty() || [first, second, both].contains(&written), "{written:?}");
    }
}

#[test]
fn a_length_is_one_that_the_file_had() {
    let disk = SimDisk::new();
    let file = synced(&disk, "/file", &[1; 1000]);
    file.set_len(3000).unwrap();
    file.write_at(5000, &[2; 1000]).unwrap();
    file.set_len(2000).unwrap();
    let left = left(&disk, "/file", Survival::Mixed);
    let lengths: BTreeSet<usize> = left.iter().flatten().map(Vec::len).collect();
    assert_eq!(lengths, BTreeSet::from([1000, 2000, 3000, 6000]));
    for bytes in left.into_iter().flatten() {
        assert!(bytes[..1000].iter().all(|byte| *byte == 1), "what was synced is there");
        assert!(bytes.iter().skip(1000).take(4000).all(|byte| *byte == 0), "zeros between");
    }
}

#[test]
fn what_was_cut_off_does_not_come_back() {
    let disk = SimDisk::new();
    let file = synced(&disk, "/file", &[1; 6000]);
    file.set_len(100).unwrap();
    file.set_len(6000).unwrap();
    file.sync().unwrap();
    let expected = [vec![1; 100], vec![0; 5900]].concat();
    assert_eq!(read(&disk, path("/file")).unwrap(), expected);
    assert_eq!(left(&disk, "/file", Survival::Mixed), BTreeSet::from([Some(expected)]));
}

#[test]
fn a_name_is_durable_once_its_directory_is_synced() {
    let disk = SimDisk::new();
    create(&disk, "/draft", b"new").sync().unwrap();
    assert!(left(&disk, "/draft", Survival::Mixed).contains(&None), "no name, though synced");
    disk.sync_directory(path("/")).unwrap();
    assert_eq!(left(&disk, "/draft", Survival::Mixed), BTreeSet::from([Some(b"new".to_vec())]));

    synced(&disk, "/file", b"old");
    disk.rename(path("/draft"), path("/file")).unwrap();
    assert_eq!(read(&disk, path("/file")).unwrap(), b"new");
    for (survival, name, expected) in [
        (Survival::Nothing, "/file", vec![Some("old")]),
        (Survival::Nothing, "/draft", vec![Some("new")]),
        (Survival::Everything, "/file", vec![Some("new")]),
        (Survival::Mixed, "/file", vec![Some("new"), Some("old")]),
        (Survival::Mixed, "/draft", vec![None, Some("new")]),
    ] {
        let expected: BTreeSet<_> =
            expected.into_iter().map(|text| text.map(|text| text.as_bytes().to_vec())).collect();
        assert_eq!(left(&disk, name, survival), expected, "{survival:?} {name}");
    }
    disk.sync_directory(path("/")).unwrap();
    assert_eq!(left(&disk, "/file", Survival::Mixed), BTreeSet::from([Some(b"new".to_vec())]));
    assert_eq!(left(&disk, "/draft", Survival::Mixed), BTreeSet::from([None]));
}

#[test]
fn a_rename_is_there_or_not_and_changes_of_one_name_stay_in_order() {
    let disk = SimDisk::new();
    synced(&disk, "/a", b"1");
    disk.rename(path("/a"), path("/b")).unwrap();
    create(&disk, "/a", b"2").sync().unwrap();
    let mut random = random();
    let mut walk = disk.recording().walk();
    while walk.advance() {}
    for _ in 0..300 {
        let image = walk.image(Survival::Mixed, &mut random);
        let [a, b] = ["/a", "/b"].map(|name| read(&image, path(name)).ok());
        let (a, b) = (a.as_deref(), b.as_deref());
        let ones = [a, b].iter().filter(|bytes| **bytes == Some(b"1")).count();
        assert_eq!(ones, 1, "what was synced under one name has one: {a:?} {b:?}");
        assert!(a != Some(b"2") || b == Some(b"1"), "{a:?} {b:?}");
    }
}

#[test]
fn a_removed_file_may_come_back_until_its_directory_is_synced() {
    let disk = SimDisk::new();
    synced(&disk, "/file", b"1");
    disk.remove(path("/file")).unwrap();
    assert_eq!(disk.open(path("/file"), How::Read).unwrap_err().kind(), ErrorKind::NotFound);
    let both = BTreeSet::from([None, Some(b"1".to_vec())]);
    assert_eq!(left(&disk, "/file", Survival::Mixed), both);
    disk.sync_directory(path("/")).unwrap();
    assert_eq!(left(&disk, "/file", Survival::Mixed), BTreeSet::from([None]));
}

#[test]
fn files_below_a_directory_need_the_names_of_all_directories_above() {
    let disk = SimDisk::new();
    disk.create_directory(path("/a")).unwrap();
    create(&disk, "/a/file", b"1").sync().unwrap();
    disk.sync_directory(path("/a")).unwrap();
    assert_eq!(left(&disk, "/a/file", Survival::Nothing), BTreeSet::from([None]));
    disk.sync_directory(path("/")).unwrap();
    let there = BTreeSet::from([Some(b"1".to_vec())]);
    assert_eq!(left(&disk, "/a/file", Survival::Nothing), there);

    create_directories(&disk, path("/x/y/z")).unwrap();
    let image = disk.crash(Survival::Nothing, &mut random());
    assert!(image.exists(path("/x/y/z")).unwrap());
    image.remove_directory(path("/x")).unwrap();
    assert_eq!(image.list(path("/")).unwrap(), [path("/a").to_owned()]);
}

#[test]
fn every_prefix_of_a_run_is_a_place_to_crash_at() {
    let disk = SimDisk::new();
    disk.mark("begin");
    for number in 0..10_u8 {
        create(&disk, "/draft", &[number; 2000]).sync().unwrap();
        finish(&disk, path("/draft"), path("/file")).unwrap();
        disk.mark(&number.to_string());
    }
    let (mut random, recording) = (random(), disk.recording());
    let marks: Vec<u64> = (0..).zip(recording.happened()).filter_map(is_mark).collect();
    assert_eq!(marks.len(), 11);
    let mut walk = recording.walk();
    loop {
        let finished = marks.iter().filter(|mark| **mark < walk.position()).count();
        for survival in Survival::ALL {
            let image = walk.image(survival, &mut random);
            match read(&image, path("/file")) {
                Err(_) => assert!(finished < 2, "{finished}"),
                Ok(bytes) => {
                    let number = bytes[0];
                    assert_eq!(bytes, [number; 2000], "a rename is of the whole file");
                    let last = finished as u8;
                    assert!(number + 2 == last || number + 1 == last, "{number} {last}");
                }
            }
        }
        if !walk.advance() {
            break;
        }
    }
    assert!(walk.is_quiet());
}

fn is_mark((position, happened): (u64, chancery_tests::disk::Happened)) -> Option<u64> {
    matches!(happened, chancery_tests::disk::Happened::Mark(_)).then_some(position)
}

#[test]
fn a_killed_process_leaves_what_the_system_has_and_a_power_loss_takes_it() {
    let disk = SimDisk::new();
    let file = synced(&disk, "/file", &[1; 512]);
    file.write_at(0, &[2; 512]).unwrap();
    let lock = disk.lock(path("/lock")).unwrap();
    assert_eq!(disk.lock(path("/lock")).unwrap_err().kind(), ErrorKind::WouldBlock);
    let next = disk.kill();
    assert!(file.write_at(0, &[3; 512]).is_err(), "the old process is gone");
    drop(lock);
    drop(next.lock(path("/lock")).unwrap());
    drop(next.lock(path("/lock")).unwrap());
    assert_eq!(read(&next, path("/file")).unwrap(), [2; 512]);
    let lost = next.recording().walk().image(Survival::Nothing, &mut random());
    assert_eq!(read(&lost, path("/file")).unwrap(), [1; 512]);
    write_in_place(&next, path("/file")).unwrap();
    let kept = next.crash(Survival::Nothing, &mut random());
    assert_eq!(read(&kept, path("/file")).unwrap(), [2; 512]);
}

#[test]
fn a_failed_sync_is_not_made_up_for_by_the_next() {
    let disk = SimDisk::new();
    let file = synced(&disk, "/file", &[1; 8192]);
    file.write_at(0, &[2; 4096]).unwrap();
    disk.fail(Fault { kind: Some(Kind::Sync), ..Fault::once(1) });
    assert!(file.sync().is_err());
    file.write_at(4096, &[3; 4096]).unwrap();
    file.sync().unwrap();
    let old = Some([vec![1; 4096], vec![3; 4096]].concat());
    let new = Some([vec![2; 4096], vec![3; 4096]].concat());
    let shown = read(&disk, path("/file")).unwrap();
    let left = left(&disk, "/file", Survival::Writes);
    match shown[0] {
        // It was evicted: the old bytes are read again.
        1 => assert_eq!(left, BTreeSet::from([old])),
        _ => assert_eq!(left, BTreeSet::from([old, new.clone()])),
    }
    // Written again, they are dirty again.
    file.write_at(0, &[2; 4096]).unwrap();
    file.sync().unwrap();
    assert_eq!(super::disk::left(&disk, "/file", Survival::Writes), BTreeSet::from([new]));
}

#[test]
fn faults_come_when_they_are_to_and_for_as_long() {
    let disk = SimDisk::new();
    let file = synced(&disk, "/file", b"1");
    let before = disk.counts();
    disk.fail(Fault { kind: Some(Kind::Write), nth: 2, sticky: false, error: Errno::NoSpace });
    let writes: Vec<bool> = (0..4).map(|_| file.write_at(0, b"2").is_ok()).collect();
    assert_eq!(writes, [true, false, true, true]);
    disk.fail(Fault::from_then_on(2));
    let writes: Vec<bool> = (0..4).map(|_| file.write_at(0, b"2").is_ok()).collect();
    assert_eq!(writes, [true, false, false, false]);
    let refused = disk.rename(path("/file"), path("/other")).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(5));
    assert_eq!(disk.counts().of(Kind::Write) - before.of(Kind::Write), 8);
    disk.heal();
    file.sync().unwrap();

    disk.say_space(Space { available: 7, total: 9 });
    assert_eq!(disk.space(path("/")).unwrap(), Space { available: 7, total: 9 });
    disk.limit(Some(8192));
    file.set_len(1 << 20).unwrap();
    file.write_at(4096, b"3").unwrap();
    assert_eq!(disk.space(path("/")).unwrap(), Space { available: 0, total: 8192 });
    assert_eq!(file.write_at(8192, b"4").unwrap_err().kind(), ErrorKind::StorageFull);
    file.write_at(0, b"5").unwrap();
    disk.limit(None);
    file.write_at(8192, b"4").unwrap();
}

#[test]
fn files_rot_where_they_are_told_to() {
    let disk = SimDisk::new();
    synced(&disk, "/file", &[0xff; 5000]);
    let saved = disk.saved(path("/file")).unwrap();
    disk.flip(path("/file"), 8 * 4500 + 3);
    disk.zero_page(path("/file"), 0);
    let bytes = read(&disk, path("/file")).unwrap();
    assert_eq!((bytes[4500], bytes[4499], bytes[0], bytes.len()), (0xf7, 0xff, 0, 5000));
    disk.swap_pages(path("/file"), 0, 1);
    assert_eq!(read(&disk, path("/file")).unwrap()[0], 0xff);
    disk.truncate(path("/file"), 10);
    assert_eq!(read(&disk, path("/file")).unwrap().len(), 10);
    assert!(!disk.saved(path("/file")).unwrap().is(&saved));
    disk.put(path("/file"), &saved);
    assert!(disk.saved(path("/file")).unwrap().is(&saved));
    assert_eq!(disk.files()[0].allocated, 8192);
}

/// Whatever is done: what is on an image is what was synced, or something later.
#[test]
fn random_runs_never_lose_what_was_synced() {
    let mut random = random();
    for _ in 0..20 {
        let disk = SimDisk::new();
        let file = synced(&disk, "/file", &[0; 4096]);
        // By the position at which it was so: the byte at each place.
        let mut durable: Vec<(u64, Vec<u8>)> = vec![(disk.position(), vec![0; 4096])];
        let mut newest = vec![0; 4096];
        for number in 1..=100_u8 {
            let start = random.random_range(0..4000);
            let length = random.random_range(1..=4096 - start);
            newest[start..start + length].fill(number);
            file.write_at(start as u64, &newest[start..start + length]).unwrap();
            if random.random_bool(0.2) {
                file.sync().unwrap();
                durable.push((disk.position(), newest.clone()));
            }
        }
        let mut walk: Walk = disk.recording().walk();
        walk.advance_to(durable[0].0);
        loop {
            let synced = durable.iter().rfind(|(position, _)| *position <= walk.position());
            let (_, synced) = synced.unwrap();
            let image = walk.image(Survival::Sectors, &mut random);
            let bytes = read(&image, path("/file")).unwrap();
            // Bytes only ever grow.
            assert!(bytes.iter().zip(synced).all(|(byte, least)| byte >= least));
            if !walk.advance() {
                break;
            }
        }
    }
}
