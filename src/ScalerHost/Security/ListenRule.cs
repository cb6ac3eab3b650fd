using System.Net;

namespace FuncScaler.ScalerHost.Security;

/// <summary>Where a scaler may listen without asking callers who they are.</summary>
internal static class ListenRule
{
    /// <exception cref="CommandException">The address can be reached from other machines, and the scaler would not be safe there.</exception>
    public static void Check(IPAddress address, SecurityWatch? security, bool insecure)
    {
        if (insecure || IPAddress.IsLoopback(address))
        {
            return;
        }

        if (security is null)
        {
            throw new CommandException(
                CommandException.BadUsage,
                $"--listen {address} can be reached from other machines, and anybody there could take instances: give --security FILE, which says who may call, or --insecure to let everybody.");
        }

        if (!security.HasTls && !security.TlsInFront)
        {
            throw new CommandException(
                CommandException.BadUsage,
                $"--listen {address} can be reached from other machines, and tokens would cross the network in clear: give tls in the security file, tlsInFront where something in front speaks TLS, or --insecure.");
        }
    }
}
