! values.f90 - modules, arrays with and without descriptors, text; it prints what it passes.
module shapes
  implicit none
  integer :: counter = 3
  type point
    integer :: x, y
  end type
contains
  subroutine work(n, p, arr, text, ratio, last)
    integer, intent(in) :: n
    type(point), intent(inout) :: p
    integer, intent(in) :: arr(:)
    character(len=*), intent(in) :: text
    real(8), intent(in) :: ratio
    integer, value :: last
    integer :: local
    local = n * 2 + p%x + sum(arr)
    counter = counter + local
    print '(A,8(1X,I0),1X,A)', 'work', n, p%x, p%y, size(arr), arr(2), local, counter, last, text
  end subroutine
end module
program main
  use shapes
  implicit none
  type(point) :: p
  integer, allocatable :: a(:)
  integer :: i, fixed(3)
  allocate(a(4))
  a = [10, 20, 30, 40]
  fixed = [7, 8, 9]
  p = point(1, 2)
  do i = 1, 3
    call work(i, p, a, 'hello', 0.5d0, i + 40)
    p%x = p%x + fixed(i)
  end do
end program
