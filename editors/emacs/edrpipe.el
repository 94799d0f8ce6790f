;;; edrpipe.el --- rule files of edrpipe -*- lexical-binding: t -*-

;; (load "edrpipe.el"): Eglot starts `pipeline rules lsp' for YAML files in a
;; directory named rules.

(require 'eglot)

(define-derived-mode edrpipe-rules-mode
  text-mode "Rules"
  "Mode for rule files of edrpipe."
  (setq-local indent-tabs-mode nil
              comment-start "# "))

(add-to-list 'auto-mode-alist '("/rules/.*\\.ya?ml\\'" . edrpipe-rules-mode))
(add-to-list 'eglot-server-programs '(edrpipe-rules-mode . ("pipeline" "rules" "lsp")))
(add-hook 'edrpipe-rules-mode-hook #'eglot-ensure)

(provide 'edrpipe)
;;; edrpipe.el ends here
