# The headers of REQUEST and OUTCOME, the two kinds of messages that calls consist of. Part of engine.pyx.
#
# What is written here is byte for byte what msgpack writes for `corps.wire.frames`. What is read here is read
# as that module reads it, limits included. Everything else is left to it, also what is malformed.

cdef enum:
    _REQUEST = 2
    _OUTCOME = 3
    _CALL = 1
    _RETURNED = 0
    _PICKLE = 1  # the tag of the codec
    _METHOD_MOST = 200  # bytes of the name of a method that is written or read here, at most
    _HEADER_MOST = 300  # bytes of a header that is written here, at most
    _CODEC_MOST = 255
    _SERVICES = 0x80000000  # the first of the numbers of services
    _GENERATION = 0x100000000  # the first number behind them


cdef struct RequestFields:
    int64_t number
    int kind
    int64_t conc
    const char *method
    Py_ssize_t method_size
    bint has_sender
    int64_t sender_env
    int64_t sender_conc
    int codec


cdef inline unsigned char *put_big(unsigned char *at, uint64_t number, int size) noexcept:
    cdef int n
    for n in range(size):
        at[n] = (number >> (8 * (size - 1 - n))) & 0xFF
    return at + size


cdef unsigned char *put_whole(unsigned char *at, uint64_t number) noexcept:
    """Write a whole number from 0 as msgpack writes it; return where that ends."""
    if number < 0x80:
        at[0] = <unsigned char>number
        return at + 1
    if number < 0x100:
        at[0] = 0xCC
        return put_big(at + 1, number, 1)
    if number < 0x10000:
        at[0] = 0xCD
        return put_big(at + 1, number, 2)
    if number < 0x100000000:
        at[0] = 0xCE
        return put_big(at + 1, number, 4)
    at[0] = 0xCF
    return put_big(at + 1, number, 8)


cdef Py_ssize_t put_request(unsigned char *begin, RequestFields *fields) noexcept:
    """Write the header of a request without deadline and optional fields; return its bytes."""
    cdef unsigned char *at = begin
    at[0] = 0x99  # an array of nine
    at[1] = _REQUEST
    at = put_whole(at + 2, fields.number)
    at = put_whole(at, fields.kind)
    at = put_whole(at, fields.conc)
    if fields.method_size < 32:
        at[0] = 0xA0 | <unsigned char>fields.method_size
        at += 1
    else:
        at[0] = 0xD9
        at = put_big(at + 1, fields.method_size, 1)
    memcpy(at, fields.method, fields.method_size)
    at += fields.method_size
    if fields.has_sender:
        at[0] = 0x92  # an array of two
        if fields.sender_env == -1:
            at[1] = 0xFF
            at += 2
        else:
            at = put_whole(at + 1, fields.sender_env)
        at = put_whole(at, fields.sender_conc)
    else:
        at[0] = 0xC0
        at += 1
    at[0] = 0xC0  # no deadline
    at = put_whole(at + 1, fields.codec)
    at[0] = 0  # no optional fields
    return at + 1 - begin


cdef Py_ssize_t put_outcome(unsigned char *begin, int64_t number, int status, int codec) noexcept:
    """Write the header of an outcome; return its bytes."""
    cdef unsigned char *at = begin
    at[0] = 0x94  # an array of four
    at[1] = _OUTCOME
    at = put_whole(at + 2, number)
    at = put_whole(at, status)
    return put_whole(at, codec) - begin


cdef bint whole_of(object thing, int64_t *number) noexcept:
    """Take a whole number of a header from an object; return whether it is one that all headers may have."""
    cdef int overflows = 0
    if type(thing) is not int:
        return False
    number[0] = PyLong_AsLongLongAndOverflow(thing, &overflows)
    return overflows == 0 and number[0] >= 0


cdef bint text_of(object thing, const char **text, Py_ssize_t *size) noexcept:
    """Take the name of a method from an object; return whether it is one that is written here."""
    if type(thing) is not str or not PyUnicode_IS_COMPACT_ASCII(thing):
        return False
    text[0] = <const char *>PyUnicode_DATA(thing)
    size[0] = PyUnicode_GET_LENGTH(thing)
    return size[0] <= _METHOD_MOST


def request_frame(number, kind, target, method, sender, remaining, codec):
    """Return the frame of a RequestHeader."""
    cdef unsigned char header[_HEADER_MOST]
    cdef RequestFields fields
    cdef int64_t its_kind, its_codec
    if (
        remaining is None
        and type(kind) is kind_class
        and isinstance(target, tuple)
        and whole_of(number, &fields.number)
        and whole_of((<tuple>target)[2], &fields.conc)
        and text_of(method, &fields.method, &fields.method_size)
        and whole_of(codec, &its_codec)
        and its_codec <= _CODEC_MOST
        and sender_of(sender, &fields)
    ):
        fields.kind = kind
        fields.codec = <int>its_codec
        return PyBytes_FromStringAndSize(<char *>header, put_request(header, &fields))
    return pure["request_frame"](number, kind, target, method, sender, remaining, codec)


cdef bint env_of(object thing, int64_t *env) noexcept:
    """Take the id of an Env from an object; return whether it is one: from 0 on, or -1 for the front."""
    cdef int overflows = 0
    if type(thing) is not int:
        return False
    env[0] = PyLong_AsLongLongAndOverflow(thing, &overflows)
    return overflows == 0 and env[0] >= -1


cdef bint sender_of(object sender, RequestFields *fields) noexcept:
    cdef object env
    fields.has_sender = sender is not None
    if sender is None:
        return True
    if type(sender) is not tuple or PyTuple_GET_SIZE(sender) != 2:
        return False
    env = <object>PyTuple_GET_ITEM(sender, 0)
    if not env_of(env, &fields.sender_env):
        return False
    return whole_of(<object>PyTuple_GET_ITEM(sender, 1), &fields.sender_conc)


def outcome_frame(number, status, codec):
    """Return the frame of an OutcomeHeader; as `request_frame`."""
    cdef unsigned char header[_HEADER_MOST]
    cdef int64_t its_number, its_status, its_codec
    if (
        whole_of(number, &its_number)
        and whole_of(status, &its_status)
        and whole_of(codec, &its_codec)
        and its_status < 0x80
        and its_codec <= _CODEC_MOST
    ):
        return PyBytes_FromStringAndSize(
            <char *>header, put_outcome(header, its_number, <int>its_status, <int>its_codec)
        )
    return pure["outcome_frame"](number, status, codec)


cdef const unsigned char *take_whole(const unsigned char *at, const unsigned char *end, int64_t *number) noexcept:
    """Read a whole number from 0; return where it ends, or NULL if it is none, or none that is read here."""
    cdef int size, n
    cdef uint64_t found = 0
    if at is NULL or at >= end:
        return NULL
    if at[0] < 0x80:
        number[0] = at[0]
        return at + 1
    if not 0xCC <= at[0] <= 0xCF:
        return NULL
    size = 1 << (at[0] - 0xCC)
    if end - at < 1 + size:
        return NULL
    for n in range(size):
        found = found << 8 | at[1 + n]
    if found > <uint64_t>0x7FFFFFFFFFFFFFFF:
        return NULL
    number[0] = <int64_t>found
    return at + 1 + size


cdef bint take_request(const unsigned char *at, Py_ssize_t size, RequestFields *fields) noexcept:
    """Read the header of a request without deadline and optional fields; False to leave it to Python."""
    cdef const unsigned char *end = at + size
    cdef int64_t kind = 0, codec = 0, flags = 0
    if size < 9 or at[0] != 0x99 or at[1] != _REQUEST:
        return False
    at = take_whole(at + 2, end, &fields.number)
    at = take_whole(at, end, &kind)
    at = take_whole(at, end, &fields.conc)
    if at is NULL or at >= end or kind > 0x7F:
        return False
    if 0xA0 <= at[0] < 0xC0:
        fields.method_size = at[0] & 0x1F
        at += 1
    elif at[0] == 0xD9 and end - at >= 2:
        fields.method_size = at[1]
        at += 2
    else:
        return False
    if end - at < fields.method_size or fields.method_size > _METHOD_MOST:
        return False
    fields.method = <const char *>at
    at += fields.method_size
    if at >= end:
        return False
    fields.has_sender = at[0] == 0x92
    if fields.has_sender:
        at += 1
        if at < end and at[0] == 0xFF:
            fields.sender_env = -1
            at += 1
        else:
            at = take_whole(at, end, &fields.sender_env)
        at = take_whole(at, end, &fields.sender_conc)
    elif at[0] == 0xC0:
        at += 1
    else:
        return False
    if at is NULL or at >= end or at[0] != 0xC0:
        return False
    at = take_whole(at + 1, end, &codec)
    at = take_whole(at, end, &flags)
    if at is not end or flags != 0 or codec > _CODEC_MOST:
        return False
    fields.kind = <int>kind
    fields.codec = <int>codec
    return True


cdef bint take_outcome(const unsigned char *at, Py_ssize_t size, int64_t *number, int *status, int *codec) noexcept:
    """Read the header of an outcome; False to leave it to Python."""
    cdef const unsigned char *end = at + size
    cdef int64_t its_status = 0, its_codec = 0
    if size < 5 or at[0] != 0x94 or at[1] != _OUTCOME:
        return False
    at = take_whole(at + 2, end, number)
    at = take_whole(at, end, &its_status)
    at = take_whole(at, end, &its_codec)
    if at is not end or number[0] == 0 or its_status > 3 or its_codec > _CODEC_MOST:
        return False
    status[0] = <int>its_status
    codec[0] = <int>its_codec
    return True


def read_usual(bytes header not None):
    """Return the fields of a header of the two kinds that is read here, or None. For tests."""
    cdef RequestFields fields
    cdef int64_t number = 0
    cdef int status = 0, codec = 0
    cdef const unsigned char *at = <const unsigned char *>PyBytes_AS_STRING(header)
    if take_outcome(at, PyBytes_GET_SIZE(header), &number, &status, &codec):
        return number, status, codec
    if not take_request(at, PyBytes_GET_SIZE(header), &fields) or fields.kind not in usual_kinds:
        return None
    try:
        method = PyUnicode_DecodeUTF8(fields.method, fields.method_size, NULL)
    except UnicodeDecodeError:
        return None
    sender = (fields.sender_env, fields.sender_conc) if fields.has_sender else None
    return fields.number, fields.kind, fields.conc, method, sender, fields.codec
