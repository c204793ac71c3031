package harness;

import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** Reads values out of one message. Strings are interned: tests that compare them by identity compare the text. */
final class Reader {
    private static final Set<String> TUPLES =
            Set.of("Unit", "Pair", "Triplet", "Quartet", "Quintet", "Sextet", "Septet", "Octet", "Ennead", "Decade");
    private static final Map<String, Class<?>> ITEMS = Map.of(
            "int", int.class, "long", long.class, "double", double.class, "float", float.class, "boolean", boolean.class,
            "char", char.class, "String", String.class, "Integer", Integer.class, "Object", Object.class);

    private final ByteBuffer bytes;
    private int depth;

    Reader(byte[] content) {
        bytes = ByteBuffer.wrap(content);
    }

    Object whole() {
        try {
            Object value = take();
            if (!bytes.hasRemaining()) return value;
        } catch (RuntimeException | ReflectiveOperationException nonsense) {
            // said below
        }
        throw Wire.wrongValue();
    }

    private Object take() throws ReflectiveOperationException {
        if (++depth > Wire.DEEPEST) throw Wire.wrongValue();
        try {
            char kind = (char) bytes.get();
            return switch (kind) {
                case 'N' -> null;
                case 'T', 'F' -> kind == 'T';
                case 'I' -> Integer.valueOf(text(StandardCharsets.UTF_8));
                case 'D' -> bytes.getDouble();
                case 'S' -> text(StandardCharsets.UTF_8).intern();
                case 'L' -> list();
                case 'M' -> map(new HashMap<>());
                case 'O' -> named(text(StandardCharsets.UTF_8));
                default -> throw Wire.wrongValue();
            };
        } finally {
            depth--;
        }
    }

    private Object named(String name) throws ReflectiveOperationException {
        if (name.endsWith("[]")) return array(name.substring(0, name.length() - 2), expect('L').list());
        if (TUPLES.contains(name)) {
            Class<?> tuple = Class.forName("org.javatuples." + name);
            return tuple.getMethod("fromCollection", Collection.class).invoke(null, expect('L').list());
        }
        return switch (name) {
            case "Long" -> Long.valueOf(digits());
            case "Short" -> Short.valueOf(digits());
            case "Byte" -> Byte.valueOf(digits());
            case "BigInteger" -> new BigInteger(digits());
            case "BigDecimal" -> new BigDecimal(expect('S').text(StandardCharsets.UTF_8));
            case "Float" -> (float) expect('D').bytes.getDouble();
            case "Character" -> expect('S').text(StandardCharsets.UTF_8).charAt(0);
            case "UTF-16" -> expect('S').text(StandardCharsets.UTF_16BE);
            case "Optional" -> Optional.ofNullable(expect('L').list().stream().findFirst().orElse(null));
            case "Arrays.asList" -> Arrays.asList(expect('L').list().toArray());
            case "List.of" -> Collections.unmodifiableList(expect('L').list());
            case "LinkedList" -> new LinkedList<>(expect('L').list());
            case "LinkedHashSet" -> new LinkedHashSet<>(expect('L').list());
            case "TreeSet" -> new TreeSet<>(expect('L').list());
            case "LinkedHashMap" -> expect('M').map(new LinkedHashMap<>());
            case "TreeMap" -> expect('M').map(new TreeMap<>());
            case "Map.of" -> Collections.unmodifiableMap(expect('M').map(new LinkedHashMap<>()));
            case "Other" -> {
                expect('N');
                yield new Wire.Other();
            }
            default -> throw Wire.wrongValue();
        };
    }

    private Object array(String item, List<Object> items) {
        int dimensions = 0;
        for (; item.endsWith("[]"); dimensions++) item = item.substring(0, item.length() - 2);
        Class<?> component = ITEMS.get(item);
        for (; dimensions > 0; dimensions--) component = component.arrayType();
        Object array = Array.newInstance(component, items.size());
        for (int i = 0; i < items.size(); i++) Array.set(array, i, items.get(i));
        return array;
    }

    private List<Object> list() throws ReflectiveOperationException {
        List<Object> items = new ArrayList<>();
        for (int left = count(); left > 0; left--) items.add(take());
        return items;
    }

    private Map<Object, Object> map(Map<Object, Object> map) throws ReflectiveOperationException {
        for (int left = count(); left > 0; left--) {
            Object key = take();
            map.put(key, take());
        }
        return map;
    }

    private Reader expect(char kind) {
        if (bytes.get() != kind) throw Wire.wrongValue();
        return this;
    }

    private String digits() {
        return expect('I').text(StandardCharsets.UTF_8);
    }

    private String text(Charset charset) {
        byte[] content = new byte[count()];
        bytes.get(content);
        return new String(content, charset);
    }

    /** Returns how many items follow; each has at least one byte, so that a lie costs no memory. */
    private int count() {
        int length = bytes.getInt();
        if (length < 0 || length > bytes.remaining()) throw Wire.wrongValue();
        return length;
    }
}
