-- ~/.config/nvim/lsp/edrpipe.lua, then in init.lua: vim.lsp.enable("edrpipe")
return {
  cmd = { "pipeline", "rules", "lsp" },
  filetypes = { "yaml" },
  root_dir = function(buffer, on_dir)
    local file = vim.api.nvim_buf_get_name(buffer)
    local dir = vim.fs.dirname(file)
    while dir and dir ~= "/" and dir ~= "." do
      if vim.fs.basename(dir) == "rules" then
        return on_dir(dir)
      end
      dir = vim.fs.dirname(dir)
    end
  end,
}
