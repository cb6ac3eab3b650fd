using System.Net;
using FuncScaler.Policies;
using Microsoft.Extensions.Options;

namespace FuncScaler.ScalerFunctions;

/// <summary>Finds wrong settings at the start, with a sentence on how to mend each.</summary>
internal sealed class ScalerAppOptionsValidator : IValidateOptions<ScalerAppOptions>
{
    public ValidateOptionsResult Validate(string? name, ScalerAppOptions options)
    {
        var failures = new List<string>();
        if (!Uri.TryCreate("http://" + options.Platform, UriKind.Absolute, out var platform) || platform.Port == 80 || platform.PathAndQuery != "/")
        {
            failures.Add($"Scaler:Platform '{options.Platform}' is no address: write host:port, for example 127.0.0.1:50051.");
        }

        try
        {
            PolicyCatalog.Parse(options.Policy);
        }
        catch (FormatException e)
        {
            failures.Add($"Scaler:Policy: {e.Message}");
        }

        if (options.Grpc.Port is { } port)
        {
            ValidateGrpc(options.Grpc, port, failures);
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static void ValidateGrpc(GrpcPortOptions grpc, int port, List<string> failures)
    {
        if (port is < 0 or > IPEndPoint.MaxPort)
        {
            failures.Add($"Scaler:Grpc:Port {port} is no port: write 1 to 65535, 0 for any free one, or leave it out for no native gRPC.");
        }

        if (!IPAddress.TryParse(grpc.Address, out var address))
        {
            failures.Add($"Scaler:Grpc:Address '{grpc.Address}' is no IP address: write 127.0.0.1, or 0.0.0.0 for all.");
        }
        else if (!IPAddress.IsLoopback(address) && string.IsNullOrEmpty(grpc.Key) && !grpc.AllowAnonymous)
        {
            failures.Add(
                $"Scaler:Grpc:Address {address} can be reached from outside, and anybody could take instances: set Scaler:Grpc:Key to what callers "
                + "send as x-functions-key, or Scaler:Grpc:AllowAnonymous to true where something in front asks callers who they are.");
        }
    }
}
