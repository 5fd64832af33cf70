//! The long series of kills; `tests/reliability/crashes` builds and runs it.
#![expect(
    clippy::panic,
    clippy::print_stdout,
    reason = "what fails here fails the series; the table is what it is for"
)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tests::crashes::{Afterwards, Answered, Chance, Provider, Rig, Shelf, Step, Tally, Task, Window, series, windows};

/// How many kills of each kind.
#[derive(Clone, Copy)]
struct Counts {
    embedded: usize,
    redis: usize,
    random: usize,
    tasks: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize| arguments.get(place).and_then(|text| text.parse().ok()).unwrap_or(10);
    let counts = Counts { embedded: number(1), redis: number(2), random: number(3), tasks: number(4) };
    let begun = Instant::now();
    let total = match arguments.first().map(String::as_str) {
        Some("plain") => {
            window_series();
            random_series(counts).and(task_series(counts))
        }
        Some("steps") => step_series(counts),
        _ => panic!("the first argument is `plain` or `steps`"),
    };
    println!("\n{:<44}{}", "", Tally::HEAD);
    println!("{:<44}{total}", "all together");
    println!("{} s", begun.elapsed().as_secs());
    for complaint in &total.complaints {
        println!("  {complaint}");
    }
    let good = total.complaints.is_empty() && total.stuck == 0 && total.missed == 0;
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every kind of provider on every store at a time; a row is printed when it is known.
fn everywhere(run: impl Fn(&mut Rig, &dyn Fn(&str, &Tally)) -> Tally + Sync) -> Tally {
    println!("\n{:<44}{}", "", Tally::HEAD);
    let total = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for shelf in [Shelf::Embedded, Shelf::Redis] {
            for provider in Provider::ALL {
                let (run, total) = (&run, &total);
                scope.spawn(move || {
                    let mut rig = Rig::start(shelf, provider, "");
                    let row = |name: &str, tally: &Tally| {
                        println!("{:<44}{tally}", format!("{shelf:?}, {provider:?}, {name}"));
                    };
                    let tally = run(&mut rig, &row);
                    let mut total = total.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    *total = std::mem::take(&mut *total).and(tally);
                });
            }
        }
    });
    total.into_inner().unwrap_or_default()
}

fn step_series(counts: Counts) -> Tally {
    println!("kills at every step of a refresh");
    everywhere(|rig, row| {
        let count = if rig.shelf == Shelf::Embedded { counts.embedded } else { counts.redis };
        let mut total = Tally::default();
        for afterwards in [Afterwards::StartsAgain, Afterwards::StaysDown] {
            // A gateway that stays down is for another to make up for.
            if afterwards == Afterwards::StaysDown && rig.shelf == Shelf::Embedded {
                continue;
            }
            rig.afterwards = afterwards;
            for step in Step::ALL {
                let tally = series(rig, Some(step), count);
                row(&format!("{step:?}, it {afterwards:?}"), &tally);
                total = total.and(tally);
            }
        }
        total
    })
}

fn random_series(counts: Counts) -> Tally {
    println!("\nkills at random moments of a call with a refresh");
    everywhere(|rig, row| {
        let tally = series(rig, None, counts.random);
        row("any moment", &tally);
        tally
    })
}

fn task_series(counts: Counts) -> Tally {
    println!("\nkills during other tasks, at random moments of the first 30 ms");
    let complaints = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for shelf in [Shelf::Embedded, Shelf::Redis] {
            let complaints = &complaints;
            scope.spawn(move || {
                let mut rig = Rig::start(shelf, Provider::Lenient, "");
                rig.connect(1);
                let mut chance = Chance::new(u64::from(rig.upstream.port()));
                for task in Task::ALL {
                    let (mut answered, mut wrong) = (0, 0);
                    for _ in 0..counts.tasks {
                        match rig.crash_during(task, chance.below(Duration::from_millis(30))) {
                            Ok(Answered::Yes) => answered += 1,
                            Ok(Answered::No) => {}
                            Err(what) => {
                                wrong += 1;
                                let mut complaints =
                                    complaints.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                                complaints.push(format!("{shelf:?} {task:?}: {what}"));
                            }
                        }
                    }
                    let kills = counts.tasks;
                    println!("{shelf:?}, {task:?}: {kills} kills, {answered} of them after the answer, {wrong} WRONG");
                }
            });
        }
    });
    Tally { complaints: complaints.into_inner().unwrap_or_default(), ..Tally::default() }
}

/// How large the moment is in which a crash can cost a grant, where nobody crashes.
fn window_series() {
    println!(
        "from the provider's answer to the durable write, in microseconds: by its ledger and the log, and within the gateway"
    );
    for shelf in [Shelf::Embedded, Shelf::Redis] {
        let mut rig = Rig::start(shelf, Provider::Strict, "");
        rig.connect(1);
        let person = rig.people.first().cloned().unwrap_or_else(|| panic!("nobody is connected"));
        for _ in 0..REFRESHES {
            assert_eq!(rig.call(0, &person).send().status, 200);
        }
        let log = rig.gateways.iter().map(tests::Gateway::log).collect::<String>();
        let found = windows(&log, &rig.upstream.helpdesk.presentations(0));
        let told = |name: &str, of: fn(&Window) -> Duration| {
            let mut times: Vec<u128> = found.iter().map(|window| of(window).as_micros()).collect();
            times.sort_unstable();
            let at = |share: usize| times.get(times.len() * share / 1000).or(times.last()).copied().unwrap_or_default();
            println!(
                "{shelf:?}, {name}: {} refreshes, p50 {} p99 {} p99.9 {} max {}",
                times.len(),
                at(500),
                at(990),
                at(999),
                times.last().copied().unwrap_or_default()
            );
        };
        told("R4 to R6", |window| window.outside);
        told("R5 to R6", |window| window.inside);
    }
}

const REFRESHES: usize = 2000;
