package harness;

import java.io.DataInputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;

/**
 * One end of the wire between a program and its tests; the format is in the docstring of the package `native`.
 * Values are in Writer and Reader. Whatever the other side sends, the process goes on with a value or ends.
 */
public final class Wire {
    static final int LARGEST_MESSAGE = 1 << 24, DEEPEST = 200;
    static final int CALL_FAILED = 96, CANNOT_LOAD = 97, WRONG_VALUE = 98, TOO_LARGE = 99;

    private final DataInputStream in;
    private final FileOutputStream out;

    Wire() throws ReflectiveOperationException {
        FileDescriptor descriptor = new FileDescriptor();
        Field field = FileDescriptor.class.getDeclaredField("fd");
        field.setAccessible(true);
        field.setInt(descriptor, Integer.parseInt(System.getenv("HARNESS_DESCRIPTOR")));
        in = new DataInputStream(new FileInputStream(descriptor));
        out = new FileOutputStream(descriptor);
    }

    /** Sends one message. */
    void send(Object value) throws IOException {
        byte[] content = new Writer().write(value);
        out.write(ByteBuffer.allocate(4 + content.length).putInt(content.length).put(content).array());
    }

    /** Returns the value of the next message, or throws EOFException where the other side has left. */
    Object receive() throws IOException {
        int length = in.readInt();
        if (length < 0 || length > LARGEST_MESSAGE) end(TOO_LARGE, "a value of more than 16 MiB");
        byte[] content = new byte[length];
        in.readFully(content);
        return new Reader(content).whole();
    }

    static RuntimeException end(int status, String why) {
        System.out.flush();
        System.err.println(why);
        System.err.flush();
        Runtime.getRuntime().halt(status);
        return new IllegalStateException();
    }

    static RuntimeException wrongValue() {
        return end(WRONG_VALUE, "the value is not one of the declared type");
    }

    /** What arrives in place of an object that is not carried; equal to nothing. */
    static final class Other {}
}
