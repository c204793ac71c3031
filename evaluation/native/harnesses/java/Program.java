package harness;

import java.io.EOFException;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.List;

/**
 * Answers calls of a method: arguments are its class, its name, `inside` where the tests stand in the same class (it may
 * be private then, and must be static), and the checked exceptions that it is declared to throw.
 */
public final class Program {
    private Program() {}

    public static void main(String[] arguments) {
        int status = 0;
        try {
            serve(arguments[0], arguments[1], arguments[2].equals("inside"), List.of(arguments[3].split(",")));
        } catch (EOFException ended) {
            // the tests are over
        } catch (ClassNotFoundException | NoSuchMethodException missing) {
            Wire.end(Wire.CANNOT_LOAD, missing.toString());
        } catch (Throwable error) {
            error.printStackTrace();
            status = 1;
        }
        System.out.flush();
        Runtime.getRuntime().halt(status);
    }

    private static void serve(String type, String name, boolean inside, List<String> thrown) throws Throwable {
        Wire tests = new Wire();
        Object holder = null;
        for (;;) {
            Object[] values = ((List<?>) tests.receive()).toArray();
            Class<?> holding = Class.forName(type);
            Method method = find(holding, name, values.length, inside, thrown);
            if (holder == null && !Modifier.isStatic(method.getModifiers())) {
                Constructor<?> constructor = holding.getDeclaredConstructor();
                constructor.setAccessible(true);
                holder = constructor.newInstance();
            }
            try {
                tests.send(method.invoke(holder, values));
            } catch (InvocationTargetException wrapped) {
                throw wrapped.getCause();
            }
        }
    }

    /** Returns the method that the compiler would have let the tests call. */
    private static Method find(Class<?> type, String name, int count, boolean inside, List<String> thrown)
            throws NoSuchMethodException {
        for (Method method : type.getDeclaredMethods()) {
            int modifiers = method.getModifiers();
            boolean isReached = inside ? Modifier.isStatic(modifiers) : !Modifier.isPrivate(modifiers);
            if (method.getName().equals(name) && method.getParameterCount() == count && isReached
                    && Arrays.stream(method.getExceptionTypes()).allMatch(error -> isExpected(error, thrown))) {
                method.setAccessible(true);
                return method;
            }
        }
        throw new NoSuchMethodException("no method " + name + " that the tests could call");
    }

    private static boolean isExpected(Class<?> error, List<String> thrown) {
        return RuntimeException.class.isAssignableFrom(error) || Error.class.isAssignableFrom(error)
                || thrown.contains(error.getSimpleName()) || thrown.contains("Exception");
    }
}
