// truth.rs - Rust: numbers, references, slices, structs, closures.
use std::arch::asm;
use std::hint::black_box;

#[no_mangle]
pub static mut SEQ: i64 = 0;

macro_rules! step { () => { unsafe { let p = std::ptr::addr_of_mut!(SEQ); p.write_volatile(p.read_volatile() + 1) } } }
fn seq() -> i64 { unsafe { std::ptr::addr_of!(SEQ).read_volatile() } }

struct Point { x: i32, y: i64 }

#[inline(never)]
fn numbers(a: i8, b: u16, c: i32, d: u64) -> i64 {
    let sum = a as i64 + b as i64 + c as i64;
    step!();
    unsafe { asm!("nop") } // @numbers a:d b:d c:d d:d sum:d
    println!("numbers {} a={} b={} c={} d={} sum={}", seq(), a, b, c, d, sum);
    sum + d as i64
}

#[inline(never)]
fn references(p: &Point, n: &mut i32) -> i64 {
    *n += p.x;
    let both = p.y + *n as i64;
    step!();
    unsafe { asm!("nop") } // @references p->x:d p->y:d *n:d both:d
    println!("references {} p->x={} p->y={} *n={} both={}", seq(), p.x, p.y, *n, both);
    both
}

#[inline(never)]
fn slices(s: &[i32], t: &str) -> usize {
    let mut total = 0i32;
    for v in s.iter() { total += *v; }
    let len = t.len();
    step!();
    unsafe { asm!("nop") } // @slices s.length:d total:d len:d t.length:d
    println!("slices {} s.length={} total={} len={} t.length={}", seq(), s.len(), total, len, t.len());
    len + total as usize
}

#[inline(never)]
fn by_value(p: Point, by: i32) -> i64 {
    let moved = Point { x: p.x + by, y: p.y * 2 };
    step!();
    unsafe { asm!("nop") } // @by_value p.x:d p.y:d by:d moved.x:d moved.y:d
    println!("by_value {} p.x={} p.y={} by={} moved.x={} moved.y={}", seq(), p.x, p.y, by, moved.x, moved.y);
    black_box(moved.y + moved.x as i64)
}

fn main() {
    let mut all = 0i64;
    for i in 1..5 {
        let p = Point { x: i, y: i as i64 * 1000 };
        let mut n = i * 3;
        all += numbers(-i as i8, i as u16 * 300, i * -70000, (i as u64) << 33);
        all += references(&p, &mut n);
        let v: Vec<i32> = (0..i).collect();
        all += slices(&v, &"abcdefgh"[..i as usize]) as i64;
        all += by_value(p, black_box(i));
    }
    black_box(all);
}
