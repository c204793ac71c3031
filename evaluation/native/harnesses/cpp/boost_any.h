// boost::any on the wire; included where a declaration has it.
#include <boost/any.hpp>

namespace harness {
template <> struct Codec<boost::any> : EachAny<boost::any> {};
}
