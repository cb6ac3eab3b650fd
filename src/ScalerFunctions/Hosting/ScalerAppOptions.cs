using FuncScaler.Policies;

namespace FuncScaler.ScalerFunctions;

/// <summary>The app's settings, section <c>Scaler</c>; docs/azure-app.md has them in a table.</summary>
public sealed class ScalerAppOptions
{
    /// <summary>The configuration section.</summary>
    public const string Section = "Scaler";

    /// <summary>The contest platform's address, host:port.</summary>
    public string Platform { get; set; } = "127.0.0.1:50051";

    /// <summary>How instances are kept, for example <c>ttl:9</c>.</summary>
    public string Policy { get; set; } = PolicyCatalog.Default;

    /// <summary>Native gRPC in the worker, beside the triggers.</summary>
    public GrpcPortOptions Grpc { get; set; } = new();
}

/// <summary>The port of the worker's own gRPC server, section <c>Scaler:Grpc</c>.</summary>
public sealed class GrpcPortOptions
{
    /// <summary>The port; 0 for any free one; none when not set, as on plans whose front end passes no HTTP/2.</summary>
    public int? Port { get; set; }

    /// <summary>The IP address to listen on. Beyond loopback, <see cref="Key"/> or <see cref="AllowAnonymous"/> is needed.</summary>
    public string Address { get; set; } = "127.0.0.1";

    /// <summary>What callers send in the metadata <c>x-functions-key</c>; anybody may call when not set.</summary>
    public string? Key { get; set; }

    /// <summary>Says that beyond loopback, too, anybody may call: because something in front asks callers who they are.</summary>
    public bool AllowAnonymous { get; set; }
}
