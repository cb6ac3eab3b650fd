using System.Net.Sockets;
using Microsoft.Extensions.Configuration;

namespace FuncScaler.ScalerFunctions.Worker;

/// <summary>Whether the Functions host that has started this worker is still there.</summary>
internal interface IFunctionsHostProbe
{
    /// <summary>The host's address, for the log.</summary>
    string Address { get; }

    /// <summary>Asks now. True where there is no address to ask at.</summary>
    Task<bool> IsThereAsync(CancellationToken cancellationToken);
}

/// <summary>
/// Connects to the port of the worker protocol, which the host gives to each worker at its start. The port is the host process's own: when
/// that ends, the connection is refused. The worker's SDK (2.52) sees its stream end and does nothing about it.
/// </summary>
internal sealed class FunctionsHostProbe(IConfiguration configuration) : IFunctionsHostProbe
{
    /// <summary>Where the SDK finds the address; absent where the worker runs inside of a native host.</summary>
    private const string Setting = "Functions:Worker:HostEndpoint";

    private readonly Uri? _endpoint = Uri.TryCreate(configuration[Setting], UriKind.Absolute, out var endpoint) ? endpoint : null;

    public string Address => _endpoint?.Authority ?? "an unknown address";

    public async Task<bool> IsThereAsync(CancellationToken cancellationToken)
    {
        if (_endpoint is null)
        {
            return true;
        }

        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(_endpoint.Host, _endpoint.Port, cancellationToken);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
