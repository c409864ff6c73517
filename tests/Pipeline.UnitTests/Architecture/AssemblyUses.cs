using Mono.Cecil;

namespace OrdersStream.UnitTests.Architecture;

/// <summary>What the types of an assembly name, as it was compiled: whether by a using, by a qualified name or without any.</summary>
internal static class AssemblyUses
{
    private const string Root = "OrdersStream";

    /// <summary>Each use of another room, as "Room.Type -> Room.Type".</summary>
    public static IEnumerable<(string From, string To, string Text)> Of(string assembly)
    {
        using var module = ModuleDefinition.ReadModule(assembly);
        foreach (var type in module.GetTypes())
        {
            var from = RoomOf(type);
            if (from is null) continue;
            foreach (var used in Used(type).SelectMany(Parts).DistinctBy(t => t.FullName))
                if (RoomOf(used) is { } to && to != from) yield return (from, to, $"{type.FullName} -> {used.FullName}");
        }
    }

    /// <summary>Its types as "Room.Type", without those in others.</summary>
    public static IReadOnlyList<string> TypesOf(string assembly)
    {
        using var module = ModuleDefinition.ReadModule(assembly);
        return [.. from type in module.Types let room = RoomOf(type) where room is not null select $"{room}.{type.Name}"];
    }

    /// <summary>The namespace below the root; null: it is no room's.</summary>
    private static string? RoomOf(TypeReference type)
    {
        while (type.DeclaringType is not null) type = type.DeclaringType;
        return type.Namespace.StartsWith(Root + ".", StringComparison.Ordinal) ? type.Namespace[(Root.Length + 1)..] : null;
    }

    private static IEnumerable<TypeReference> Used(TypeDefinition type) =>
    [
        .. type.BaseType is { } parent ? new[] { parent } : [],
        .. type.Interfaces.Select(i => i.InterfaceType),
        .. Attributes(type),
        .. type.GenericParameters.SelectMany(Used),
        .. type.Fields.SelectMany(f => Attributes(f).Append(f.FieldType)),
        .. type.Properties.SelectMany(Attributes),
        .. type.Methods.SelectMany(Used),
    ];

    private static IEnumerable<TypeReference> Used(MethodDefinition method) =>
    [
        method.ReturnType,
        .. Attributes(method),
        .. Attributes(method.MethodReturnType),
        .. method.Parameters.SelectMany(p => Attributes(p).Append(p.ParameterType)),
        .. method.GenericParameters.SelectMany(Used),
        .. method.HasBody ? method.Body.Variables.Select(v => v.VariableType) : [],
        .. method.HasBody ? method.Body.ExceptionHandlers.Where(h => h.CatchType is not null).Select(h => h.CatchType) : [],
        .. method.HasBody ? method.Body.Instructions.SelectMany(i => Operand(i.Operand)) : [],
    ];

    private static IEnumerable<TypeReference> Used(GenericParameter parameter) =>
        parameter.Constraints.Select(c => c.ConstraintType).Concat(Attributes(parameter));

    private static IEnumerable<TypeReference> Operand(object? operand) => operand switch
    {
        TypeReference type => [type],
        FieldReference field => [field.DeclaringType, field.FieldType],
        GenericInstanceMethod method => [.. Signature(method), .. method.GenericArguments],
        MethodReference method => Signature(method),
        _ => [],
    };

    private static IEnumerable<TypeReference> Signature(MethodReference method) =>
        [method.DeclaringType, method.ReturnType, .. method.Parameters.Select(p => p.ParameterType)];

    private static IEnumerable<TypeReference> Attributes(ICustomAttributeProvider provider) =>
        provider.CustomAttributes.SelectMany(a => a.ConstructorArguments
            .Concat(a.Properties.Concat(a.Fields).Select(named => named.Argument)).SelectMany(Argument).Append(a.AttributeType));

    private static IEnumerable<TypeReference> Argument(CustomAttributeArgument argument) => argument.Value switch
    {
        TypeReference type => [argument.Type, type],
        CustomAttributeArgument boxed => Argument(boxed),
        CustomAttributeArgument[] several => several.SelectMany(Argument),
        _ => [argument.Type],
    };

    /// <summary>A type and what it is made of.</summary>
    private static IEnumerable<TypeReference> Parts(TypeReference type) => type switch
    {
        GenericInstanceType generic => [generic.ElementType, .. generic.GenericArguments.SelectMany(Parts)],
        FunctionPointerType pointer => pointer.Parameters.Select(p => p.ParameterType).Append(pointer.ReturnType).SelectMany(Parts),
        TypeSpecification of => Parts(of.ElementType),
        _ => [type],
    };
}
