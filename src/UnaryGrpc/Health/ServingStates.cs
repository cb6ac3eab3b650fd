using System.Collections.Concurrent;
using Google.Protobuf.Reflection;

namespace FuncScaler.UnaryGrpc.Health;

/// <summary>What the health service answers, by service name; the empty name stands for the whole server.</summary>
public sealed class ServingStates
{
    private readonly ConcurrentDictionary<string, bool> _serving = new(StringComparer.Ordinal) { [""] = true };

    /// <summary>grpc.health.v1.Health/Check.</summary>
    public static UnaryMethod<HealthCheckRequest, HealthCheckResponse> Check { get; } =
        new(HealthReflection.Descriptor.FindTypeByName<ServiceDescriptor>("Health").FindMethodByName("Check"));

    /// <summary>Says whether a service can take calls. A service never named here is unknown: NOT_FOUND.</summary>
    public ServingStates Set(string service, bool serving)
    {
        ArgumentNullException.ThrowIfNull(service);
        _serving[service] = serving;
        return this;
    }

    /// <summary>Whether the service serves; null for a name never set.</summary>
    public bool? Get(string service) => _serving.TryGetValue(service, out bool serving) ? serving : null;

    internal HealthCheckResponse Answer(HealthCheckRequest request) => new()
    {
        Status = Get(request.Service) switch
        {
            true => HealthCheckResponse.Types.ServingStatus.Serving,
            false => HealthCheckResponse.Types.ServingStatus.NotServing,
            null => throw new GrpcException(GrpcStatus.NotFound, $"Unknown service '{request.Service}'."),
        },
    };
}
