using System.Reflection;

namespace FuncScaler.Tests;

/// <summary>Types and members as text, the way a caller's compiler sees them: two assemblies that say the same are interchangeable to it.</summary>
internal static class ApiSurface
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    /// <summary>The kind of a type: what may be done with it as a whole.</summary>
    public static string Describe(Type type)
    {
        var kind = type.IsEnum ? $"enum : {type.GetEnumUnderlyingType().Name}"
            : type.IsValueType ? "struct"
            : type.IsInterface ? "interface"
            : (type.IsAbstract, type.IsSealed) switch
            {
                (true, true) => "static class",
                (true, false) => "abstract class",
                (false, true) => "sealed class",
                _ => "class",
            };
        return $"{kind} {type.FullName}";
    }

    /// <summary>The base types and interfaces, and theirs.</summary>
    public static IEnumerable<string> Ancestors(Type type)
    {
        for (var ancestor = type.BaseType; ancestor is not null; ancestor = ancestor.BaseType)
        {
            yield return NameOf(ancestor);
        }

        foreach (var contract in type.GetInterfaces())
        {
            yield return NameOf(contract);
        }
    }

    /// <summary>What callers and heirs can use: public and protected members, accessors one by one.</summary>
    public static IEnumerable<string> Members(Type type)
    {
        foreach (var field in type.GetFields(Declared).Where(f => f.IsPublic || f.IsFamily))
        {
            yield return field.IsLiteral ? $"{field.Name} = {field.GetRawConstantValue()}" : $"{NameOf(field.FieldType)} {field.Name}";
        }

        foreach (var constructor in type.GetConstructors(Declared).Where(c => IsVisible(c)))
        {
            yield return $"{Access(constructor)} new({Parameters(constructor)})";
        }

        foreach (var method in type.GetMethods(Declared).Where(m => IsVisible(m)))
        {
            var modifier = method.IsStatic ? "static " : method.IsAbstract ? "abstract " : method.IsVirtual && !method.IsFinal ? "virtual " : "";
            var arity = method.IsGenericMethod ? $"<{method.GetGenericArguments().Length}>" : "";
            var init = method.ReturnParameter.GetRequiredCustomModifiers().Length > 0 ? " init" : "";
            yield return $"{Access(method)} {modifier}{NameOf(method.ReturnType)} {method.Name}{arity}({Parameters(method)}){init}";
        }
    }

    /// <summary>A type's name with its arguments, and without its assembly: where a type lives is not what a caller writes.</summary>
    private static string NameOf(Type type)
    {
        if (type.IsGenericParameter)
        {
            return $"{(type.DeclaringMethod is null ? "!" : "!!")}{type.GenericParameterPosition}";
        }

        if (type.HasElementType)
        {
            return NameOf(type.GetElementType()!) + (type.IsArray ? "[]" : "&");
        }

        var name = type.Namespace + "." + type.Name;
        return type.IsGenericType ? $"{name}[{string.Join(",", type.GetGenericArguments().Select(NameOf))}]" : name;
    }

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static string Access(MethodBase method) => method.IsPublic ? "public" : "protected";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(p =>
        (p.CustomAttributes.Any(a => a.AttributeType.Name == nameof(ParamArrayAttribute)) ? "params " : "")
        + $"{NameOf(p.ParameterType)} {p.Name}"
        + (p.HasDefaultValue ? $" = {p.RawDefaultValue ?? "default"}" : "")));
}
