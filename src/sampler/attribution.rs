//! Whose time it is: the wall time that a read stands for, half of the time since the one before and half of that
//! until the next, put down to the places that took it.
//!
//! Of several threads those that run share it. Where nothing runs, it belongs to the waits that something
//! outside the program ends (a sleep, a socket, a disk); a thread that waits for another thread only
//! passes that on. Of several processes the same holds. So the seconds of all places add up to
//! the wall time, and a lock that seven threads wait for does not drown the one that holds it.

use std::collections::HashMap;

use super::Found;
use crate::profile::MachineCode;

const NONE: MachineCode =
    MachineCode { in_loop: 0.0, in_interpreter: 0.0, in_extensions: 0.0, in_system: 0.0 };

/// What a thread was doing when it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// On a CPU, or ready for one.
    Runs,
    /// Waiting for its turn at the interpreter (GIL).
    WantsInterpreter,
    /// Looking again whether another thread is done: Scalene's locks and joins do so.
    Polls,
    /// Waiting for another thread: a lock, a queue, a join.
    WaitsForThread,
    /// Waiting for a child process to end.
    WaitsForChild,
    /// Waiting for something outside the program.
    Waits,
}

/// Whose machine code a thread ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// The function of the interpreter that executes bytecode.
    Loop,
    /// Another function of the interpreter: what the loop needs, or a builtin.
    Interpreter,
    /// An extension, or a library that it uses.
    Extension,
    /// A library that all of them use.
    System,
}

/// A thread of the program in one read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thread {
    /// Where it was; none while Scalene's own code ran in it.
    pub(super) node: Option<u32>,
    pub(super) doing: Doing,
    /// Whose code it ran and at which address, when it ran and that is known.
    pub(super) code: Option<(Code, u64)>,
}

/// One read of a process, before it is known how much time it stands for.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) threads: Vec<Thread>,
    /// What the process did, where its time counts as the program's.
    share: Option<Share>,
}

/// Who takes the wall time.
#[derive(Debug)]
struct Share {
    takers: Vec<Thread>,
    own: Activity,
    /// Part of the wall time that is this process's.
    part: f64,
}

impl Read {
    /// Of a process whose wall time is not the program's.
    pub(super) fn apart(threads: Vec<Thread>) -> Self {
        Self { threads, share: None }
    }
}

/// What a process as a whole was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    Runs,
    /// Waits for something outside the program.
    Waits,
    /// Waits for other processes, or its threads for each other.
    WaitsForOthers,
}

/// What the processes of the program did when they were last looked at.
#[derive(Debug, Default)]
pub(super) struct Processes {
    main: u32,
    all: HashMap<u32, Activity>,
}

impl Processes {
    pub(super) fn set_main(&mut self, pid: u32) {
        self.main = pid;
    }

    pub(super) fn ended(&mut self, pid: u32) {
        self.all.remove(&pid);
    }

    /// The number of other processes that do this.
    fn others(&self, pid: u32, activity: Activity) -> usize {
        self.all
            .iter()
            .filter(|(other, other_does)| **other != pid && **other_does == activity)
            .count()
    }

    /// What part of the time a process may put down to its threads.
    fn part(&self, pid: u32, own: Activity) -> f64 {
        let running = self.others(pid, Activity::Runs);
        let main = self.all.get(&self.main).copied();
        match own {
            Activity::Runs => part_of(running + 1),
            _ if running > 0 => 0.0,
            Activity::Waits if pid == self.main => 1.0,
            // Workers that wait for orders, while the program itself waits for something.
            Activity::Waits if main == Some(Activity::Waits) => 0.0,
            Activity::Waits => part_of(self.others(pid, Activity::Waits) + 1),
            Activity::WaitsForOthers if pid == self.main => {
                if self.others(pid, Activity::Waits) > 0 { 0.0 } else { 1.0 }
            }
            Activity::WaitsForOthers => 0.0,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of threads")]
fn whole(number: usize) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "a number of threads")]
fn part_of(number: usize) -> f64 {
    1.0 / number.max(1) as f64
}

impl Found {
    /// What a read of a process says of it, beside what is known of the others now.
    pub(super) fn read(&mut self, pid: u32, threads: Vec<Thread>) -> Read {
        let has_children = self.processes.all.len() > 1;
        let does = |doing: Doing| threads.iter().any(|thread| thread.doing == doing);
        // A wait for a child that is watched, too, passes on to it.
        let waits_outside = |doing: Doing| {
            doing == Doing::Waits || (doing == Doing::WaitsForChild && !has_children)
        };
        let (own, takes): (Activity, &dyn Fn(Doing) -> bool) = if does(Doing::Runs) {
            (Activity::Runs, &|doing| doing == Doing::Runs)
        } else if does(Doing::WantsInterpreter) {
            (Activity::Runs, &|doing| doing == Doing::WantsInterpreter)
        } else if threads.iter().any(|thread| waits_outside(thread.doing)) {
            (Activity::Waits, &waits_outside)
        } else if does(Doing::Polls) {
            (Activity::WaitsForOthers, &|doing| doing == Doing::Polls)
        } else {
            (Activity::WaitsForOthers, &|_| true)
        };
        let takers = threads.iter().copied().filter(|thread| takes(thread.doing)).collect();
        self.processes.all.insert(pid, own);
        let part = self.processes.part(pid, own);
        let number = u32::try_from(threads.len()).unwrap_or(u32::MAX);
        self.sampling.threads = self.sampling.threads.max(number);
        Read { threads, share: Some(Share { takers, own, part }) }
    }

    /// Puts down the time that a read stands for.
    pub(super) fn attribute(&mut self, read: &Read, seconds: f64) {
        let Read { threads, share: Some(Share { takers, own, part }) } = read else { return };
        self.count_threads(threads, seconds);
        let each = seconds * part * part_of(takers.len());
        let mut sum = 0.0;
        for (node, code) in takers.iter().filter_map(|taker| Some((taker.node?, taker.code))) {
            self.tree.attribute(node, each, *own != Activity::Runs);
            match code.filter(|_| *own == Activity::Runs).map(|(code, _)| code) {
                Some(Code::Loop) => self.tree.divide(node, MachineCode { in_loop: each, ..NONE }),
                Some(Code::Interpreter) => {
                    self.tree.divide(node, MachineCode { in_interpreter: each, ..NONE });
                }
                Some(Code::Extension) => {
                    self.tree.divide(node, MachineCode { in_extensions: each, ..NONE });
                }
                Some(Code::System) => {
                    self.tree.divide(node, MachineCode { in_system: each, ..NONE });
                }
                None => {}
            }
            sum += each;
        }
        let profilers = takers.iter().filter(|taker| taker.node.is_none()).count();
        self.sampling.profiler += each * whole(profilers);
        self.sampling.attributed += sum;
        self.sampling.squares += sum * sum;
        if *own == Activity::WaitsForOthers {
            return;
        }
        let is_passive = |doing| matches!(doing, Doing::WaitsForThread | Doing::Polls);
        for waiting in threads.iter().filter(|thread| is_passive(thread.doing)) {
            for cause in takers.iter().filter_map(|taker| taker.node) {
                if let Some(waiting) = waiting.node {
                    self.tree.note(waiting, cause, seconds * part_of(takers.len()));
                }
            }
        }
    }

    fn count_threads(&mut self, threads: &[Thread], seconds: f64) {
        for thread in threads {
            match thread.doing {
                Doing::Runs => self.sampling.busy += seconds,
                Doing::WantsInterpreter => self.sampling.interpreter_lock += seconds,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::CallSite;

    /// Nodes for lines 1 to 4 of one function.
    fn found() -> (Found, [u32; 4]) {
        let mut found = Found::default();
        found.processes.set_main(1);
        let function = found.tree.function("/a.py", "f", false);
        let nodes = [1, 2, 3, 4]
            .map(|line| found.tree.add(&[CallSite { function, line }], 0.0, false).unwrap());
        (found, nodes)
    }

    fn attribute(found: &mut Found, pid: u32, threads: &[Thread], seconds: f64) {
        let read = found.read(pid, threads.to_vec());
        found.attribute(&read, seconds);
    }

    type Walls = Vec<(f64, f64)>;
    type Waits = Vec<(u32, u32, f64)>;

    /// Running and waiting seconds of each node, and who waited for whom.
    fn wall(found: Found) -> (Walls, Waits) {
        let tree = found.tree.finish();
        let meanwhile = tree.meanwhile.iter().map(|one| (one.waiting, one.cause, one.seconds));
        let meanwhile = meanwhile.collect();
        (tree.nodes.iter().map(|node| (node.wall_running, node.wall_waiting)).collect(), meanwhile)
    }

    fn thread(node: u32, doing: Doing) -> Thread {
        Thread { node: Some(node), doing, code: None }
    }

    #[test]
    fn who_waits_for_a_lock_is_not_who_holds_it() {
        let (mut found, [sleeps, locked, _, _]) = found();
        let mut threads = vec![thread(locked, Doing::WaitsForThread); 7];
        threads.push(thread(sleeps, Doing::Waits));
        threads[0].doing = Doing::Polls;
        attribute(&mut found, 1, &threads, 2.0);
        assert_eq!((found.sampling.attributed, found.sampling.threads), (2.0, 8));
        let (wall, meanwhile) = wall(found);
        assert_eq!(wall[sleeps as usize], (0.0, 2.0));
        assert_eq!(wall[locked as usize], (0.0, 0.0));
        assert_eq!(meanwhile, [(locked, sleeps, 14.0)]);
    }

    #[test]
    fn threads_that_run_share_the_time_and_waits_get_none() {
        let (mut found, [one, two, sleeps, turn]) = found();
        let threads = [
            thread(one, Doing::Runs),
            thread(two, Doing::Runs),
            thread(sleeps, Doing::Waits),
            thread(turn, Doing::WantsInterpreter),
        ];
        attribute(&mut found, 1, &threads, 3.0);
        assert_eq!((found.sampling.busy, found.sampling.interpreter_lock), (6.0, 3.0));
        let (wall, _) = wall(found);
        assert_eq!(wall, [(1.5, 0.0), (1.5, 0.0), (0.0, 0.0), (0.0, 0.0)]);
    }

    #[test]
    fn a_program_that_waits_for_its_workers_leaves_them_the_time() {
        let (mut found, [waits, works, idle, _]) = found();
        attribute(&mut found, 2, &[thread(works, Doing::Runs)], 1.0);
        attribute(&mut found, 1, &[thread(waits, Doing::WaitsForThread)], 1.0);
        attribute(&mut found, 3, &[thread(idle, Doing::Waits)], 1.0);
        found.processes.ended(2);
        // Now it waits for something itself, and the worker for orders.
        attribute(&mut found, 1, &[thread(waits, Doing::Waits)], 0.5);
        attribute(&mut found, 3, &[thread(idle, Doing::Waits)], 0.5);
        let (wall, _) = wall(found);
        assert_eq!(wall[works as usize], (1.0, 0.0));
        assert_eq!(wall[waits as usize], (0.0, 0.5));
        assert_eq!(wall[idle as usize], (0.0, 0.0));
    }

    #[test]
    fn time_in_the_profiler_is_nobodys() {
        let (mut found, [one, ..]) = found();
        let profiler = Thread { node: None, doing: Doing::Runs, code: None };
        attribute(&mut found, 1, &[profiler, thread(one, Doing::Waits)], 1.0);
        assert!(found.sampling.attributed.abs() < 1e-9);
        assert!((found.sampling.profiler - 1.0).abs() < 1e-9);
        // It waits for its turn while the program goes on.
        let waits = Thread { doing: Doing::WantsInterpreter, ..profiler };
        attribute(&mut found, 1, &[waits, thread(one, Doing::Runs)], 1.0);
        assert!((found.sampling.profiler - 1.0).abs() < 1e-9);
        found.sampling.squares = 0.0;
        attribute(&mut found, 1, &[], 1.0);
        assert!(found.sampling.squares.abs() < 1e-9);
    }
}
