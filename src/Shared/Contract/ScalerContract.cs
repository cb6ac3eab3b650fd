using Google.Protobuf.Reflection;

namespace FuncScaler.Contract;

/// <summary>The methods of the wire contract, by name, for whoever serves or calls them.</summary>
public static class ScalerContract
{
    /// <summary>The service a scaler serves.</summary>
    public static ServiceDescriptor Scaler { get; } = ScalerReflection.Descriptor.FindTypeByName<ServiceDescriptor>(nameof(Scaler));

    /// <summary>The service a platform serves.</summary>
    public static ServiceDescriptor Platform { get; } = ScalerReflection.Descriptor.FindTypeByName<ServiceDescriptor>(nameof(Platform));

    public static MethodDescriptor Assign { get; } = Scaler.FindMethodByName(nameof(Assign));

    public static MethodDescriptor Idle { get; } = Scaler.FindMethodByName(nameof(Idle));

    public static MethodDescriptor CreateSlot { get; } = Platform.FindMethodByName(nameof(CreateSlot));

    public static MethodDescriptor DestroySlot { get; } = Platform.FindMethodByName(nameof(DestroySlot));

    public static MethodDescriptor Init { get; } = Platform.FindMethodByName(nameof(Init));
}
