# Pickles of plain values, written and read without the pickle module. Part of engine.pyx.
#
# What is written here is byte for byte what `pickle.dumps(value, 5)` gives. What is read here is read as
# `pickle.loads` reads it. Everything else is left to pickle: other types, deep or large values, other opcodes,
# and whatever is malformed. So nothing here says what is wrong with the bytes.

cdef enum:
    _PACKED_MOST = 4096  # bytes of a pickle that is written or read here, at most
    _MEMO = 64  # objects that a pickle can refer to again, at most
    _NESTED = 16  # containers inside each other, at most
    _STACK = 256  # objects that are read and stand in no container yet, at most
    _PROTOCOL = 5
    _FRAME_SIZE = 9  # bytes of the opcode FRAME
    _LEAST_FRAME = 4  # bytes from which pickle makes a frame


cdef struct Writer:
    unsigned char *at
    unsigned char *end
    int known
    PyObject *memo[_MEMO]


cdef inline bint has_room(Writer *to, Py_ssize_t size) noexcept:
    return to.end - to.at >= size


cdef inline void put(Writer *to, unsigned char byte) noexcept:
    to.at[0] = byte
    to.at += 1


cdef inline void put_number(Writer *to, uint64_t number, int size) noexcept:
    """Write the lowest bytes of a number, little-endian."""
    cdef int n
    for n in range(size):
        to.at[n] = (number >> (8 * n)) & 0xFF
    to.at += size


cdef inline bint memoize(Writer *to, PyObject *thing) noexcept:
    if to.known == _MEMO:
        return False
    to.memo[to.known] = thing
    to.known += 1
    put(to, 0x94)  # MEMOIZE
    return True


cdef inline int place_of(Writer *to, PyObject *thing) noexcept:
    cdef int n
    for n in range(to.known):
        if to.memo[n] is thing:
            return n
    return -1


cdef bint write_text(Writer *to, object thing, const char *text, Py_ssize_t size, int short, int long) noexcept:
    if not has_room(to, size + 6):
        return False
    if size < 256:
        put(to, short)
        put_number(to, size, 1)
    else:
        put(to, long)
        put_number(to, size, 4)
    memcpy(to.at, text, size)
    to.at += size
    return memoize(to, <PyObject *>thing)


cdef bint write_int(Writer *to, object thing) noexcept:
    cdef int overflows = 0
    cdef int64_t number = PyLong_AsLongLongAndOverflow(thing, &overflows)
    cdef int size = 1
    if overflows or not has_room(to, 10):
        return False
    if 0 <= number < 256:
        put(to, b"K")
        put_number(to, number, 1)
    elif 0 <= number < 65536:
        put(to, b"M")
        put_number(to, number, 2)
    elif -0x80000000 <= number <= 0x7FFFFFFF:
        put(to, b"J")
        put_number(to, <uint64_t>number, 4)
    else:
        while size < 8 and not (-(<int64_t>1 << (8 * size - 1)) <= number < <int64_t>1 << (8 * size - 1)):
            size += 1
        put(to, 0x8A)  # LONG1
        put_number(to, size, 1)
        put_number(to, <uint64_t>number, size)
    return True


cdef bint write_plain(Writer *to, object thing, int depth) noexcept:
    """Write a value; return False, with no error set, if that is left to pickle."""
    cdef type kind = type(thing)
    cdef Py_ssize_t size, n
    cdef int place
    cdef double real
    cdef uint64_t bits
    cdef const char *text
    cdef PyObject *key
    cdef PyObject *value
    if not has_room(to, 12):
        return False
    if thing is None:
        put(to, b"N")
        return True
    if kind is int:
        return write_int(to, thing)
    if kind is bool:
        put(to, 0x88 if thing is True else 0x89)
        return True
    if kind is float:
        real = PyFloat_AS_DOUBLE(thing)
        memcpy(&bits, &real, 8)
        put(to, b"G")
        for n in range(8):
            put(to, (bits >> (56 - 8 * n)) & 0xFF)
        return True
    if kind is tuple and PyTuple_GET_SIZE(thing) == 0:
        put(to, b")")
        return True
    place = place_of(to, <PyObject *>thing)
    if place >= 0:
        put(to, b"h")  # BINGET
        put_number(to, place, 1)
        return True
    if kind is str:
        if not PyUnicode_IS_COMPACT_ASCII(thing):  # others would keep their UTF-8, once it is made
            return False
        return write_text(to, thing, <const char *>PyUnicode_DATA(thing), PyUnicode_GET_LENGTH(thing), 0x8C, b"X")
    if kind is bytes:
        return write_text(to, thing, PyBytes_AS_STRING(thing), PyBytes_GET_SIZE(thing), b"C", b"B")
    if depth == 0:
        return False
    if kind is tuple:
        size = PyTuple_GET_SIZE(thing)
        if size > 3:
            put(to, b"(")
        for n in range(size):
            if not write_plain(to, <object>PyTuple_GET_ITEM(thing, n), depth - 1):
                return False
        if place_of(to, <PyObject *>thing) >= 0 or not has_room(to, 2):  # it holds itself
            return False
        put(to, b"t" if size > 3 else 0x84 + size)
        return memoize(to, <PyObject *>thing)
    if kind is list:
        put(to, b"]")
        if not memoize(to, <PyObject *>thing):
            return False
        size = PyList_GET_SIZE(thing)
        if size == 0:
            return True
        if size > 1000:
            return False
        if size > 1:
            put(to, b"(")
        for n in range(size):
            if not write_plain(to, <object>PyList_GET_ITEM(thing, n), depth - 1):
                return False
        if not has_room(to, 1):
            return False
        put(to, b"e" if size > 1 else b"a")
        return True
    if kind is dict:
        put(to, b"}")
        if not memoize(to, <PyObject *>thing):
            return False
        size = PyDict_Size(thing)
        if size == 0:
            return True
        if size > 1000:
            return False
        if size > 1:
            put(to, b"(")
        n = 0
        while PyDict_Next(thing, &n, &key, &value):
            if not write_plain(to, <object>key, depth - 1) or not write_plain(to, <object>value, depth - 1):
                return False
        if not has_room(to, 1):
            return False
        put(to, b"u" if size > 1 else b"s")
        return True
    return False


cdef Py_ssize_t pack_into(unsigned char *begin, Py_ssize_t room, object one, object other) noexcept:
    """Write the pickle of a value, or with `other` of the pair; return its bytes, or 0 to leave it to pickle.

    No Python code runs meanwhile, and nothing is made.
    """
    cdef Writer to
    cdef Py_ssize_t size
    cdef bint is_pair = other is not None
    to.known = 0
    to.end = begin + room
    to.at = begin + 2 + _FRAME_SIZE
    if room < 32 or not write_plain(&to, one, _NESTED):
        return 0
    if is_pair:
        if not write_plain(&to, other, _NESTED) or not has_room(&to, 3):
            return 0
        put(&to, 0x86)  # TUPLE2
        put(&to, 0x94)
    if not has_room(&to, 1):
        return 0
    put(&to, b".")
    size = to.at - begin - 2 - _FRAME_SIZE
    begin[0] = 0x80  # PROTO
    begin[1] = _PROTOCOL
    if size < _LEAST_FRAME:
        memmove(begin + 2, begin + 2 + _FRAME_SIZE, size)
        return 2 + size
    begin[2] = 0x95  # FRAME
    to.at = begin + 3
    put_number(&to, size, 8)
    return 2 + _FRAME_SIZE + size


cdef struct Heap:
    int height
    int known
    int marks
    PyObject *stack[_STACK]  # each holds a reference, and so below
    PyObject *memo[_MEMO]
    int mark[_NESTED + 2]


cdef inline bint push(Heap *heap, PyObject *made) noexcept:
    """Put an object on the stack, which takes the reference; False if there is none, or no room."""
    if made is NULL:
        return False
    if heap.height == _STACK:
        Py_DECREF_of(made)
        return False
    heap.stack[heap.height] = made
    heap.height += 1
    return True


cdef inline PyObject *pop(Heap *heap) noexcept:
    heap.height -= 1
    return heap.stack[heap.height]


cdef inline int least(Heap *heap) noexcept:
    """Return the height below which nothing may be taken: that of the last mark."""
    return heap.mark[heap.marks - 1] if heap.marks else 0


cdef inline uint64_t number_at(const unsigned char *at, int size) noexcept:
    cdef uint64_t number = 0
    cdef int n
    for n in range(size):
        number |= <uint64_t>at[n] << (8 * n)
    return number


cdef bint make_tuple(Heap *heap, int begin) noexcept:
    """Replace all above `begin` by a tuple of it."""
    cdef int n, size = heap.height - begin
    cdef PyObject *made = PyTuple_New_of(size)
    if made is NULL:
        return False
    for n in range(size):
        PyTuple_SET_ITEM_of(made, n, heap.stack[begin + n])
    heap.height = begin
    return push(heap, made)


cdef bint add_items(Heap *heap, int begin) noexcept:
    """Put all above `begin` into the list below it."""
    cdef PyObject *target
    cdef int n
    if begin - 1 < least(heap) or type(<object>heap.stack[begin - 1]) is not list:
        return False
    target = heap.stack[begin - 1]
    for n in range(begin, heap.height):
        if PyList_Append_of(target, heap.stack[n]) < 0:
            return False
    for n in range(begin, heap.height):
        Py_DECREF_of(heap.stack[n])
    heap.height = begin
    return True


cdef bint set_items(Heap *heap, int begin) noexcept:
    """Put all above `begin`, keys and values, into the dict below it."""
    cdef PyObject *target
    cdef int n
    if (heap.height - begin) % 2 or begin - 1 < least(heap) or type(<object>heap.stack[begin - 1]) is not dict:
        return False
    target = heap.stack[begin - 1]
    for n in range(begin, heap.height, 2):
        if PyDict_SetItem_of(target, heap.stack[n], heap.stack[n + 1]) < 0:
            return False
    for n in range(begin, heap.height):
        Py_DECREF_of(heap.stack[n])
    heap.height = begin
    return True


cdef bint take_text(Heap *heap, const unsigned char *at, Py_ssize_t size, bint is_text) noexcept:
    if is_text:
        return push(heap, PyUnicode_DecodeUTF8_of(<const char *>at, size, NULL))
    return push(heap, PyBytes_FromStringAndSize_of(<const char *>at, size))


cdef int take_one(Heap *heap, const unsigned char *at, Py_ssize_t left) noexcept:
    """Do what the opcode at the beginning says; return its bytes, or 0 to leave all of it to pickle."""
    cdef int opcode = at[0]
    cdef Py_ssize_t size
    cdef uint64_t bits
    cdef int64_t number
    cdef double real
    cdef int n
    if opcode == c"N":
        return push(heap, new_reference(None))
    if opcode == 0x88 or opcode == 0x89:
        return push(heap, new_reference(opcode == 0x88))
    if opcode == c"K" and left >= 2:
        return 2 * push(heap, PyLong_FromLongLong_of(at[1]))
    if opcode == c"M" and left >= 3:
        return 3 * push(heap, PyLong_FromLongLong_of(<int64_t>number_at(at + 1, 2)))
    if opcode == c"J" and left >= 5:
        return 5 * push(heap, PyLong_FromLongLong_of(<int32_t>number_at(at + 1, 4)))
    if opcode == 0x8A and left >= 2 and 1 <= at[1] <= 8 and left >= 2 + at[1]:  # LONG1
        bits = number_at(at + 2, at[1])
        if at[1] < 8 and at[1 + at[1]] & 0x80:
            bits |= ~<uint64_t>0 << (8 * at[1])
        number = <int64_t>bits
        return (2 + at[1]) * push(heap, PyLong_FromLongLong_of(number))
    if opcode == c"G" and left >= 9:
        bits = 0
        for n in range(8):
            bits = bits << 8 | at[1 + n]
        memcpy(&real, &bits, 8)
        return 9 * push(heap, PyFloat_FromDouble_of(real))
    if (opcode == 0x8C or opcode == c"C") and left >= 2:
        size = at[1]
        if left < 2 + size:
            return 0
        return <int>(2 + size) * take_text(heap, at + 2, size, opcode == 0x8C)
    if (opcode == c"X" or opcode == c"B") and left >= 5:
        size = <Py_ssize_t>number_at(at + 1, 4)
        if left - 5 < size:
            return 0
        return <int>(5 + size) * take_text(heap, at + 5, size, opcode == c"X")
    if opcode == c")":
        return push(heap, PyTuple_New_of(0))
    if opcode == c"]":
        return push(heap, PyList_New_of(0))
    if opcode == c"}":
        return push(heap, PyDict_New_of())
    if 0x85 <= opcode <= 0x87:  # TUPLE1 to TUPLE3
        n = opcode - 0x84
        return heap.height - n >= least(heap) and make_tuple(heap, heap.height - n)
    if opcode == 0x94:  # MEMOIZE
        if heap.height <= least(heap) or heap.known == _MEMO:
            return 0
        heap.memo[heap.known] = new_reference(<object>heap.stack[heap.height - 1])
        heap.known += 1
        return 1
    if opcode == c"h" and left >= 2:
        return 2 * (at[1] < heap.known and push(heap, new_reference(<object>heap.memo[at[1]])))
    if opcode == c"(":
        if heap.marks > _NESTED:
            return 0
        heap.mark[heap.marks] = heap.height
        heap.marks += 1
        return 1
    if opcode == c"a":
        return heap.height > least(heap) and add_items(heap, heap.height - 1)
    if opcode == c"s":
        return heap.height - 2 >= least(heap) and set_items(heap, heap.height - 2)
    if heap.marks and (opcode == c"t" or opcode == c"e" or opcode == c"u"):
        heap.marks -= 1
        n = heap.mark[heap.marks]
        if opcode == c"t":
            return make_tuple(heap, n)
        return add_items(heap, n) if opcode == c"e" else set_items(heap, n)
    return 0


cdef PyObject *read_plain(const unsigned char *begin, Py_ssize_t size) noexcept:
    """Return a new reference to what a pickle holds, or NULL, with no error set, to leave it to pickle."""
    cdef Heap heap
    cdef const unsigned char *at = begin
    cdef const unsigned char *end = begin + size
    cdef PyObject *value = NULL
    cdef int step, n
    if size < 3 or size > 2 * _PACKED_MOST or at[0] != 0x80 or at[1] < 4 or at[1] > _PROTOCOL:
        return NULL
    at += 2
    if at[0] == 0x95:
        if size < 2 + _FRAME_SIZE + 1 or number_at(at + 1, 8) != <uint64_t>(size - 2 - _FRAME_SIZE):
            return NULL
        at += _FRAME_SIZE
    heap.height = heap.known = heap.marks = 0
    while at < end:
        if at[0] == c".":
            if at + 1 == end and heap.height == 1 and heap.marks == 0:
                value = pop(&heap)
            break
        step = take_one(&heap, at, end - at)
        if step == 0:
            PyErr_Clear()
            break
        at += step
    for n in range(heap.height):
        Py_DECREF_of(heap.stack[n])
    for n in range(heap.known):
        Py_DECREF_of(heap.memo[n])
    return value


cdef class PackerCore:
    """The usual ways of `corps.packing.packer.Packer`. It has no fields: a Packer is copied."""

    def pack(self, value, *, what="value"):
        """Turn an object into bytes. PackError says what in `what` cannot be packed, why, and what to do."""
        cdef unsigned char packed[_PACKED_MOST]
        cdef Py_ssize_t size
        if self._codec == _PICKLE:
            size = pack_into(packed, _PACKED_MOST, value, None)
            if size:
                return tuple_of(packed_class, (_PICKLE, PyBytes_FromStringAndSize(<char *>packed, size), ()))
        return self._pure_pack(value, what=what)

    def unpack(self, packed):
        """Turn bytes of ``pack`` into an object, with the buffers as its memory, or raise UnpackError."""
        cdef PyObject *found = NULL
        codec, body, buffers = packed
        if not buffers and codec == _PICKLE and type(body) is bytes and self._codec == _PICKLE:
            found = read_plain(<const unsigned char *>PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
            if found is not NULL:
                value = <object>found
                Py_DECREF(found)
                return value
        return self._pure_unpack(packed)
