using System.Buffers.Text;
using System.CommandLine;
using System.Security.Cryptography;
using System.Text;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>funcscaler token</c>: makes a token for a caller, and the hash of it for the security file.</summary>
internal static class TokenCommand
{
    private const int Bytes = 32;

    public static Command Create()
    {
        var command = new Command("token", "Make a token for a caller: prints it for the caller, and its SHA-256 for the security file of serve");
        command.SetAction(_ =>
        {
            var token = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(Bytes));
            Console.WriteLine($"token        {token}");
            Console.WriteLine($"tokenSha256  {Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)))}");
        });
        return command;
    }
}
