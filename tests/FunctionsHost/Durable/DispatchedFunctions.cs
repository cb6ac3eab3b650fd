using System.ComponentModel;
using System.Reflection;
using System.Reflection.Emit;
using Microsoft.Azure.WebJobs;
using Microsoft.Azure.WebJobs.Extensions.DurableTask;

namespace FuncScaler.FunctionsHost.Durable;

/// <summary>Runs a durable function somewhere else.</summary>
public interface IFunctionCalls
{
    /// <summary>Gives the trigger's text to the function of that name and returns what the function returns.</summary>
    Task<object?> CallAsync(string function, string trigger, CancellationToken cancellationToken);
}

/// <summary>
/// What the WebJobs SDK takes for the app's durable functions. As the Functions host does, a class with a method for each is made at run
/// time, because the SDK reads names and bindings from attributes.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class DispatchedFunctions(IFunctionCalls calls)
{
    private static readonly Dictionary<string, (Type Attribute, string NameProperty)> Triggers = new(StringComparer.OrdinalIgnoreCase)
    {
        ["orchestrationTrigger"] = (typeof(OrchestrationTriggerAttribute), nameof(OrchestrationTriggerAttribute.Orchestration)),
        ["entityTrigger"] = (typeof(EntityTriggerAttribute), nameof(EntityTriggerAttribute.EntityName)),
        ["activityTrigger"] = (typeof(ActivityTriggerAttribute), nameof(ActivityTriggerAttribute.Activity)),
    };

    /// <summary>A class with a method for each durable function.</summary>
    internal static Type MakeClass(IEnumerable<AppFunction> functions)
    {
        var module = AssemblyBuilder.DefineDynamicAssembly(new AssemblyName("DurableFunctions"), AssemblyBuilderAccess.Run).DefineDynamicModule("main");
        var made = module.DefineType("AppFunctions", TypeAttributes.Public | TypeAttributes.Class, typeof(DispatchedFunctions));
        DefineConstructor(made);
        foreach (var function in functions)
        {
            if (Triggers.TryGetValue(function.TriggerType, out var trigger))
            {
                DefineFunction(made, function.Name, trigger.Attribute, trigger.NameProperty);
            }
        }

        return made.CreateType();
    }

    /// <summary>What every method does.</summary>
    protected Task<object?> CallAsync(string function, string trigger, CancellationToken cancellationToken) =>
        calls.CallAsync(function, trigger, cancellationToken);

    private static void DefineConstructor(TypeBuilder made)
    {
        var constructor = made.DefineConstructor(MethodAttributes.Public, CallingConventions.HasThis, [typeof(IFunctionCalls)]).GetILGenerator();
        constructor.Emit(OpCodes.Ldarg_0);
        constructor.Emit(OpCodes.Ldarg_1);
        constructor.Emit(OpCodes.Call, typeof(DispatchedFunctions).GetConstructors(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)[0]);
        constructor.Emit(OpCodes.Ret);
    }

    private static void DefineFunction(TypeBuilder made, string name, Type attribute, string nameProperty)
    {
        var method = made.DefineMethod(name, MethodAttributes.Public, typeof(Task<object>), [typeof(string), typeof(CancellationToken)]);
        method.SetCustomAttribute(new CustomAttributeBuilder(typeof(FunctionNameAttribute).GetConstructor([typeof(string)])!, [name]));
        method.DefineParameter(1, ParameterAttributes.None, "trigger").SetCustomAttribute(new CustomAttributeBuilder(
            attribute.GetConstructor([])!, [], [attribute.GetProperty(nameProperty)!], [name]));
        method.DefineParameter(2, ParameterAttributes.None, "cancellationToken");
        var body = method.GetILGenerator();
        body.Emit(OpCodes.Ldarg_0);
        body.Emit(OpCodes.Ldstr, name);
        body.Emit(OpCodes.Ldarg_1);
        body.Emit(OpCodes.Ldarg_2);
        body.Emit(OpCodes.Call, typeof(DispatchedFunctions).GetMethod(nameof(CallAsync), BindingFlags.Instance | BindingFlags.NonPublic)!);
        body.Emit(OpCodes.Ret);
    }
}
