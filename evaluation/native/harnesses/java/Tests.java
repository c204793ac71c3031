package harness;

import java.io.DataInputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;

/** Runs the main method of the class named by argument 1, which holds the tests. */
public final class Tests {
    private static Wire program;

    private Tests() {}

    public static void main(String[] arguments) throws Throwable {
        byte[] token = new byte[32];
        new DataInputStream(new FileInputStream(FileDescriptor.in)).readFully(token);
        program = new Wire();
        Method tests = Class.forName(arguments[0]).getDeclaredMethod("main", String[].class);
        tests.setAccessible(true);
        try {
            tests.invoke(null, (Object) new String[0]);
        } catch (InvocationTargetException wrapped) {
            throw wrapped.getCause();
        }
        new FileOutputStream(FileDescriptor.in).write(token);
    }

    /** Calls the program: what stands in for the method that the tests call, whose result has this type. */
    public static Object call(Class<?> type, Object... arguments) {
        try {
            program.send(new ArrayList<>(Arrays.asList(arguments)));
            Object value = program.receive();
            return type.isPrimitive() ? primitive(type, value) : value;
        } catch (IOException left) {
            throw Wire.end(Wire.CALL_FAILED, "the program has ended");
        }
    }

    /** Returns the value as one of a primitive type, where that loses nothing. */
    private static Object primitive(Class<?> type, Object value) {
        if (value instanceof Boolean && type == boolean.class) return value;
        if (value instanceof Character letter) {
            if (type == char.class) return value;
            value = (int) letter;
        }
        if (!(value instanceof Number number) || type == boolean.class) throw Wire.wrongValue();
        Object converted =
                type == int.class ? (Object) number.intValue()
                : type == long.class ? (Object) number.longValue()
                : type == double.class ? (Object) number.doubleValue()
                : type == float.class ? (Object) number.floatValue()
                : type == short.class ? (Object) number.shortValue()
                : type == byte.class ? (Object) number.byteValue()
                : (Object) (char) number.intValue();
        boolean isFraction = number instanceof Double || number instanceof Float;
        boolean toFraction = type == double.class || type == float.class;
        if (type == char.class || toFraction) return converted;
        boolean isKept = isFraction
                ? number.doubleValue() == ((Number) converted).doubleValue()
                : number.longValue() == ((Number) converted).longValue();
        if (!isKept) throw Wire.wrongValue();
        return converted;
    }
}
