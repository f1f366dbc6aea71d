// SPDX-License-Identifier: MIT
//! Calls tools of a Snakepit daemon from Rust, without a crate:
//!
//!     rustc main.rs -L "$(pkg-config --variable=libdir snakepit)" -l snakepit
//!     ./main unix:/run/snakepit/local.sock
use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::sync::Arc;
use std::{mem, ptr, thread};

/// What is used of <snakepit/snakepit.h>. Structs tell their size, so they may end early.
mod c {
    use super::*;

    #[repr(C)]
    pub struct Message {
        pub text: [c_char; 1024],
    }

    #[repr(C)]
    pub struct ConnectOptions {
        pub size: usize,
        pub open: *const c_void,
        pub timeout_ms: u32,
        pub reconnect: bool,
    }

    #[repr(C)]
    pub struct CallOptions {
        pub size: usize,
        pub pool: *const c_char,
        pub timeout_ms: u32,
        pub session_id: *const c_char,
        pub why: *mut Message,
        pub queue: *mut c_void,
    }

    #[repr(C)]
    pub struct Fault {
        pub err: c_int,
        pub message: *const c_char,
    }

    pub type Done = extern "C" fn(user: *mut c_void, err: c_int, answer: *mut c_void);

    #[link(name = "snakepit")]
    extern "C" {
        pub fn snakepit_connect(
            address: *const c_char,
            options: *const ConnectOptions,
            pit: *mut *mut c_void,
            why: *mut Message,
        ) -> c_int;
        pub fn snakepit_close(pit: *mut c_void, grace_ms: u32);
        pub fn snakepit_queue_new(
            pit: *mut c_void,
            queue: *mut *mut c_void,
            why: *mut Message,
        ) -> c_int;
        pub fn snakepit_queue_drain(queue: *mut c_void, timeout_ms: u32) -> usize;
        pub fn snakepit_queue_free(queue: *mut c_void) -> c_int;
        pub fn snakepit_submit_json(
            pit: *mut c_void,
            tool: *const c_char,
            json: *const c_char,
            options: *const CallOptions,
            done: Done,
            user: *mut c_void,
            call: *mut u64,
        ) -> c_int;
        pub fn snakepit_cancel(pit: *mut c_void, call: u64) -> c_int;
        pub fn snakepit_answer_json(answer: *mut c_void) -> *const c_char;
        pub fn snakepit_answer_fault(answer: *const c_void) -> *const Fault;
        pub fn snakepit_answer_free(answer: *mut c_void);
        pub fn snakepit_err_name(err: c_int) -> *const c_char;
    }
}

/// A fault of a call; its name is of docs/errors.md.
#[derive(Debug)]
pub struct Error {
    pub name: String,
    pub message: String,
}

type Outcome = Result<String, Error>;

fn text(from: *const c_char) -> String {
    unsafe { CStr::from_ptr(from) }.to_string_lossy().into_owned()
}

fn error(err: c_int, message: *const c_char) -> Error {
    let name = text(unsafe { c::snakepit_err_name(err) });
    Error { name, message: text(message) }
}

/// Owned by `Pit`, whose threads may all use them: the library says so.
#[derive(Clone, Copy)]
struct Handles {
    pit: *mut c_void,
    queue: *mut c_void,
}
unsafe impl Send for Handles {}
unsafe impl Sync for Handles {}

/// A connection to a daemon. Any thread may use it.
pub struct Pit {
    handles: Handles,
    closing: Arc<AtomicBool>,
    drains: Option<thread::JoinHandle<()>>,
}

/// A call under way. Dropped before it has ended, it is cancelled.
pub struct Call<'a> {
    pit: &'a Pit,
    id: u64,
    ended: Receiver<Outcome>,
}

/// Runs on the thread that drains. A panic must not get into C, so nothing here can.
extern "C" fn done(user: *mut c_void, err: c_int, answer: *mut c_void) {
    let ended = unsafe { Box::from_raw(user as *mut SyncSender<Outcome>) };
    let json = unsafe { c::snakepit_answer_json(answer) };
    let outcome = if err != 0 || json.is_null() {
        Err(error(err, unsafe { (*c::snakepit_answer_fault(answer)).message }))
    } else {
        Ok(text(json))
    };
    let _ = ended.send(outcome); // it has room; whoever waited may have gone
    unsafe { c::snakepit_answer_free(answer) };
}

impl Pit {
    pub fn connect(address: &str) -> Result<Pit, Error> {
        let options = c::ConnectOptions {
            size: mem::size_of::<c::ConnectOptions>(),
            open: ptr::null(),
            timeout_ms: 0,
            reconnect: true,
        };
        let mut why = c::Message { text: [0; 1024] };
        let mut handles = Handles { pit: ptr::null_mut(), queue: ptr::null_mut() };
        let address = CString::new(address).expect("no zero in an address");
        let err = unsafe {
            match c::snakepit_connect(address.as_ptr(), &options, &mut handles.pit, &mut why) {
                0 => c::snakepit_queue_new(handles.pit, &mut handles.queue, &mut why),
                err => err,
            }
        };
        if err != 0 {
            unsafe { c::snakepit_close(handles.pit, 0) };
            return Err(error(err, why.text.as_ptr()));
        }
        let closing = Arc::new(AtomicBool::new(false));
        let told = closing.clone();
        let drains = thread::spawn(move || {
            let handles: Handles = handles; // the whole of it, which may cross threads
            while !told.load(Ordering::Relaxed) {
                unsafe { c::snakepit_queue_drain(handles.queue, 100) };
            }
        });
        Ok(Pit { handles, closing, drains: Some(drains) })
    }

    pub fn submit(&self, pool: &str, tool: &str, json: &str) -> Result<Call<'_>, Error> {
        let [pool, tool, json] =
            [pool, tool, json].map(|one| CString::new(one).expect("no zero in a text"));
        let mut why = c::Message { text: [0; 1024] };
        let options = c::CallOptions {
            size: mem::size_of::<c::CallOptions>(),
            pool: pool.as_ptr(),
            timeout_ms: 0,
            session_id: ptr::null(),
            why: &mut why,
            queue: self.handles.queue,
        };
        let (sender, ended) = sync_channel::<Outcome>(1);
        let user = Box::into_raw(Box::new(sender)) as *mut c_void;
        let mut id = 0;
        let err = unsafe {
            c::snakepit_submit_json(
                self.handles.pit,
                tool.as_ptr(),
                json.as_ptr(),
                &options,
                done,
                user,
                &mut id,
            )
        };
        if err != 0 {
            drop(unsafe { Box::from_raw(user as *mut SyncSender<Outcome>) });
            return Err(error(err, why.text.as_ptr()));
        }
        Ok(Call { pit: self, id, ended })
    }
}

impl Drop for Pit {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        let _ = self.drains.take().map(thread::JoinHandle::join);
        unsafe {
            c::snakepit_close(self.handles.pit, 0); // runs done() for what is left
            c::snakepit_queue_free(self.handles.queue);
        }
    }
}

impl Call<'_> {
    pub fn cancel(&self) {
        unsafe { c::snakepit_cancel(self.pit.handles.pit, self.id) };
    }

    /// What the tool returned, as JSON.
    pub fn wait(self) -> Outcome {
        self.ended.recv().expect("each call ends once")
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.cancel(); // does nothing if it has ended
    }
}

fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1).expect("usage: main ADDRESS");
    let pit = Pit::connect(&address)?;
    println!("{}", pit.submit("text", "add", r#"{"a": 2, "b": 40}"#)?.wait()?);

    let calls = (0..1000)
        .map(|i| pit.submit("text", "add", &format!(r#"{{"a": {i}, "b": 1}}"#)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut sum: i64 = 42;
    for call in calls {
        sum += call.wait()?.parse::<i64>().expect("a number");
    }
    println!("{sum}");

    let call = pit.submit("text", "sleep", r#"{"ms": 60000}"#)?;
    call.cancel();
    println!("{}", call.wait().unwrap_err().name);
    println!("{}", pit.submit("text", "add", r#"{"a": "x"}"#)?.wait().unwrap_err().name);
    Ok(())
}
