package harness;

import java.io.ByteArrayOutputStream;
import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;

/** Writes values with their classes: what has no name of a class is Boolean, Integer, Double, String, ArrayList, HashMap. */
final class Writer {
    private static final Class<?> FIXED = Arrays.asList().getClass();
    private static final List<String> IMMUTABLE = List.of("java.util.ImmutableCollections", "java.util.Collections$");

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private int depth;

    byte[] write(Object value) {
        put(value);
        if (bytes.size() > Wire.LARGEST_MESSAGE) throw Wire.end(Wire.TOO_LARGE, "a value of more than 16 MiB");
        return bytes.toByteArray();
    }

    private void put(Object value) {
        if (++depth > Wire.DEEPEST || bytes.size() > Wire.LARGEST_MESSAGE)
            throw Wire.end(Wire.TOO_LARGE, "a value that is too deep or of more than 16 MiB");
        if (value == null) bytes.write('N');
        else if (value instanceof Boolean truth) bytes.write(truth ? 'T' : 'F');
        else if (value instanceof Integer) text('I', value.toString());
        else if (value instanceof Double number) floating(number);
        else if (value instanceof String string) text('S', string);
        else if (value.getClass() == ArrayList.class) list((Collection<?>) value);
        else if (value instanceof Map<?, ?> map) map(map);
        else putNamed(value);
        depth--;
    }

    private void putNamed(Object value) {
        if (value instanceof Long || value instanceof Short || value instanceof Byte
                || value.getClass() == java.math.BigInteger.class) {
            name(value.getClass().getSimpleName());
            text('I', value.toString());
        } else if (value instanceof Float number) {
            name("Float");
            floating(number);
        } else if (value instanceof Character || value.getClass() == BigDecimal.class) {
            name(value.getClass().getSimpleName());
            text('S', value.toString());
        } else if (value instanceof Optional<?> optional) {
            name("Optional");
            list(optional.map(List::<Object>of).orElse(List.of()));
        } else if (value instanceof Set<?> set) {
            name(set instanceof SortedSet ? "TreeSet" : "LinkedHashSet");
            list(set);
        } else if (value instanceof List<?> list) {
            name(list.getClass() == FIXED ? "Arrays.asList" : isImmutable(list) ? "List.of" : "LinkedList");
            list(list);
        } else if (value.getClass().isArray()) {
            name(value.getClass().getSimpleName());
            count('L', Array.getLength(value));
            for (int i = 0; i < Array.getLength(value); i++) put(Array.get(value, i));
        } else if (value.getClass().getName().startsWith("org.javatuples.")) {
            List<Object> items = new ArrayList<>();
            ((Iterable<?>) value).forEach(items::add);
            name(value.getClass().getSimpleName());
            list(items);
        } else {
            name("Other");
            bytes.write('N');
        }
    }

    private static boolean isImmutable(Object value) {
        return IMMUTABLE.stream().anyMatch(value.getClass().getName()::startsWith);
    }

    private void map(Map<?, ?> map) {
        if (map instanceof SortedMap) name("TreeMap");
        else if (map instanceof LinkedHashMap) name("LinkedHashMap");
        else if (isImmutable(map)) name("Map.of");
        count('M', map.size());
        map.forEach((key, value) -> {
            put(key);
            put(value);
        });
    }

    private void list(Collection<?> items) {
        count('L', items.size());
        items.forEach(this::put);
    }

    private void name(String name) {
        text('O', name);
    }

    private void floating(double value) {
        bytes.write('D');
        bytes.writeBytes(ByteBuffer.allocate(8).putDouble(value).array());
    }

    private void text(int kind, String value) {
        byte[] content = value.getBytes(StandardCharsets.UTF_8);
        if (!new String(content, StandardCharsets.UTF_8).equals(value)) {
            content = value.getBytes(StandardCharsets.UTF_16BE);
            name("UTF-16");
        }
        count(kind, content.length);
        bytes.writeBytes(content);
    }

    private void count(int kind, int length) {
        bytes.write(kind);
        bytes.writeBytes(ByteBuffer.allocate(4).putInt(length).array());
    }
}
